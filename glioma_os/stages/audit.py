"""stage=audit: patients that appear twice in a cohort or in another one, and feature columns that give the outcome
away. What it finds is no error."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from glioma_os.cohorts.cohort import Cohort
from glioma_os.cohorts.overlap import (
    SharedPatient,
    ages_tell,
    repeated_patients,
    shared_patients,
    suspected_patients,
)
from glioma_os.records import Extent, FeatureTable
from glioma_os.reporting.result_files import csv_bytes
from glioma_os.stages import recipes
from glioma_os.stages.build import plain
from glioma_os.stages.feature_tables import drop_words, inspect
from glioma_os.stages.setting import Setting
from glioma_os.training.progress import say, track
from glioma_os.training.run import Run, digest
from glioma_os.volumes.atomic import PRIVATE, atomic_write


def second_cohorts(setting: Setting) -> dict[str, Cohort]:
    """What the survival cohort is compared with: `other`, and the pre-training cohort where latents come from it."""
    out = {}
    if setting.cfg.other is not None:
        out["other"] = setting.cohort("other")
    if setting.cohort().modalities and setting.cfg.features.kind == "latents" and (
        setting.cfg.pretraining["from"] == "cohort"
    ):  # fmt: skip
        out["pretraining"] = setting.cohort("pretraining.cohort")
    return out


def identity(cohort: Cohort, content: Callable[[Path], str] | None = None) -> list[str]:
    """What finding its patients elsewhere depends on: its cases, the ids they are known by, who was left out.

    `content`: tells what an image holds, where that matters."""
    names = {patient: sorted(ids) for patient, ids in cohort.aliases().items()}
    return [cohort.name, cohort.fingerprint(content), digest([names, cohort.excluded()])]


def _counts(
    own: Cohort, other: Cohort, found: list[SharedPatient], suspected: list[SharedPatient], expected: float
) -> dict[str, Any]:
    """How many, by evidence; how many of those died after gross total resection; how many pairs are suspected."""
    people = {pair.own for pair in found}
    cases = [case for case in own.cases() if case.outcome is not None]
    usable = {c.patient_id for c in cases if c.clinical.extent is Extent.GTR and c.outcome and c.outcome.event}
    return {
        "with": other.name,
        "shared": len(people),
        "of": len({case.patient_id for case in cases} or {case.patient_id for case in own.cases()}),
        "shared_gtr_deaths": len(people & usable),
        "of_gtr_deaths": len(usable),
        "evidence": dict(Counter(pair.evidence for pair in found)),
        "ages_tell": ages_tell(own, other),
        "suspected": len(suspected),
        "suspected_by_chance": round(expected, 1),
    }


def audit(setting: Setting) -> Run:
    """The audit's run: audit.json with the counts, shared.csv with the pairs (owner-only)."""
    own, others, voxels = setting.cohort(), second_cohorts(setting), bool(setting.cfg.audit.voxels)
    table = setting.feature_file if setting.cfg.features.kind == "csv" else None
    source = table and [table.provenance, plain(setting.cfg.features), plain(setting.cfg.eligibility)]
    content = setting.store.sha256 if voxels else None
    key = {"recipe": recipes.AUDIT, "voxels": voxels, "cohort": identity(own, content), "features": source,
           "others": {name: identity(other, content) for name, other in others.items()}}  # fmt: skip
    run = setting.run("audit", key)
    with run.writing() as todo:
        if todo:
            sides = {"itself": own, **others}
            rows, compared = [], {}
            for role, side in sides.items():
                same = role == "itself"
                found = repeated_patients(own, voxels, track) if same else shared_patients(own, side, voxels, track)
                suspected, expected = suspected_patients(own, side, found)
                rows += [[side.name, pair.own, pair.other, pair.evidence] for pair in [*found, *suspected]]
                compared[role] = _counts(own, side, found, suspected, expected)
            atomic_write(
                run.path("shared.csv"), csv_bytes(["cohort", "patient_id", "other_id", "evidence"], rows), PRIVATE
            )
            run.write_json("audit.json", {
                "cohort": own.name,
                "follow_ups_left_out": sum("follow-up" in reason for _, reason in own.excluded()),
                "sessions_beyond_the_first": len(own.cases()) - len({c.patient_id for c in own.cases()}),
                "compared": compared,
                "features": None if table is None else _columns(table, setting),
            })  # fmt: skip
    return run


def _columns(table: FeatureTable, setting: Setting) -> dict[str, Any]:
    """Columns that cannot be features, and what selection by the outcome is suspected of."""
    leaking, suspicion = inspect(table, setting.survivors[0])
    return {
        "columns": len(table.names),
        "leaking": [[finding.column, finding.reason] for finding in leaking],
        "drop": drop_words(table, leaking, plain(setting.cfg.features)["drop"]) if leaking else "",
        "suspected": None if suspicion is None else suspicion.reason,
    }


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
    setting = Setting(cfg, cfg.setting)
    run = audit(setting)
    found = run.read_json("audit.json")
    say(f"{found['cohort']}: {found['follow_ups_left_out']} follow-up scans left out, "
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
