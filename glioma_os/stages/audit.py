"""stage=audit: patients that appear twice in a cohort or in another one, and feature columns that give the outcome
away. What it finds is no error."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig

from glioma_os.config.component import Component
from glioma_os.pipeline.audit import AuditCohort, AuditColumns
from glioma_os.pipeline.features.tables import FeatureTables
from glioma_os.pipeline.workspace import Workspace
from glioma_os.stages.assemble import component_of, features_of, general_of, options_of, workspace_of
from glioma_os.training.progress import say


def audit_of(cfg: DictConfig, workspace: Workspace) -> AuditCohort:
    """The survival cohort against itself, `other`, and the pre-training cohort where latents come from it."""
    own = workspace.cohort(component_of(cfg, "cohort"))
    others: dict[str, Component] = {}
    if cfg.other is not None:
        others["other"] = component_of(cfg, "other")
    features = component_of(cfg, "features").load()
    if own.modalities and features.needs_images and options_of(cfg, "pretraining").source == "cohort":  # type: ignore[attr-defined]
        others["pretraining"] = component_of(cfg, "pretraining.cohort")
    built = {role: workspace.cohort(component) for role, component in others.items()}
    columns, source = None, features_of(cfg)
    if isinstance(source, FeatureTables):
        cohorts = [own, *([built["other"]] if "other" in built else [])]
        cases = source.eligible(workspace, own, cohorts, options_of(cfg, "eligibility")).cases
        columns = AuditColumns(source.opened(workspace, cohorts), cases, source.drop)
    voxels, seed = options_of(cfg, "audit").voxels, general_of(cfg).seed
    return AuditCohort.of(workspace, own, built, columns, voxels, seed)


def print_columns(found: dict[str, Any]) -> None:
    """What the audit says of a feature table."""
    say(f"  {len(found['leaking'])} of {found['columns']} feature columns cannot be features")
    for column, reason in found["leaking"]:
        say(f"    {column!r} {reason}")
    if found["drop"]:
        say(f"    Set {found['drop']}")
    if found["suspected"]:
        say(f"    suspected: the outcome of all patients selected the columns: {found['suspected']}")


def main(cfg: DictConfig) -> None:
    """Prints the counts and where the pairs are."""
    workspace = workspace_of(cfg)
    run = audit_of(cfg, workspace).run(workspace)
    found = run.read_json("audit.json")
    say(f"{found['cohort']}: {found['follow_ups_left_out']} follow-up scans excluded, "
        f"{found['sessions_beyond_the_first']} further sessions grouped with their patient")  # fmt: skip
    for role, counts in found["compared"].items():
        evidence = ", ".join(f"{n} by {kind}" for kind, n in counts["evidence"].items()) or "none"
        what, gtr = "appear twice", ""
        if role != "itself":
            what = f"are in {counts['with']} too"
            if counts["of_gtr_deaths"]:
                gtr = f"; {counts['shared_gtr_deaths']} of {counts['of_gtr_deaths']} deaths after GTR"
        say(f"  {counts['shared']} of {counts['of']} patients {what}{gtr} ({evidence})")
        if counts["suspected"]:
            say(f"    {counts['suspected']} suspected (age within a year and the same days; "
                f"{counts['suspected_by_chance']:g} expected by chance)")  # fmt: skip
        if not counts["ages_tell"]:
            say("    ages in whole years, or no survival: only ids, files and voxels (audit.voxels=true) are certain")
    if found["features"]:
        print_columns(found["features"])
    total = sum(counts["shared"] for counts in found["compared"].values())
    suspected = sum(counts["suspected"] for counts in found["compared"].values())
    say(f"{total} findings and {suspected} suspected pairs, listed with their evidence in {run.path('shared.csv')}")
