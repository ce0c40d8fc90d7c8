"""stage=audit: patients that stand twice in a cohort, and those it shares with another. What it finds is no error."""

from __future__ import annotations

from collections import Counter
from typing import Any

from omegaconf import DictConfig

from glioma_os.cohorts.cohort import Cohort
from glioma_os.cohorts.overlap import SharedPatient, ages_tell, repeated_patients, shared_patients
from glioma_os.records import Extent
from glioma_os.reporting.result_files import csv_bytes
from glioma_os.stages.setting import Setting
from glioma_os.training.progress import say, track
from glioma_os.training.run import Run, digest
from glioma_os.volumes.atomic import atomic_write

RECIPE = 2  # raise when a change alters what is found


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


def identity(cohort: Cohort) -> list[str]:
    """What finding its patients elsewhere depends on: its cases, the ids they are known by, who was left out."""
    names = {patient: sorted(ids) for patient, ids in cohort.aliases().items()}
    return [cohort.name, cohort.fingerprint(), digest([names, cohort.excluded()])]


def _counts(own: Cohort, other: Cohort, found: list[SharedPatient]) -> dict[str, Any]:
    """How many, by evidence; and how many of those whose tumour was removed whole and whose death is known."""
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
    }


def audit(setting: Setting) -> Run:
    """The audit's run: audit.json with the counts, shared.csv with the pairs (owner-only)."""
    own, others, voxels = setting.cohort(), second_cohorts(setting), bool(setting.cfg.audit.voxels)
    key = {"recipe": RECIPE, "voxels": voxels, "cohort": identity(own),
           "others": {name: identity(other) for name, other in others.items()}}  # fmt: skip
    run = setting.run("audit", key)
    with run.writing() as todo:
        if todo:
            pairs = {"itself": repeated_patients(own, voxels, track)}
            pairs |= {role: shared_patients(own, other, voxels, track) for role, other in others.items()}
            sides = {"itself": own, **others}
            rows = [[sides[r].name, p.own, p.other, p.evidence] for r, found in pairs.items() for p in found]
            atomic_write(run.path("shared.csv"), csv_bytes(["cohort", "patient_id", "other_id", "evidence"], rows))
            run.path("shared.csv").chmod(0o600)
            run.write_json("audit.json", {
                "cohort": own.name,
                "follow_ups_left_out": sum("follow-up" in reason for _, reason in own.excluded()),
                "sessions_beyond_the_first": len(own.cases()) - len({c.patient_id for c in own.cases()}),
                "compared": {role: _counts(own, sides[role], found) for role, found in pairs.items()},
            })  # fmt: skip
    return run


def main(cfg: DictConfig) -> None:
    """Prints the counts and where the pairs are."""
    setting = Setting(cfg, cfg.setting)
    run = audit(setting)
    found = run.read_json("audit.json")
    say(f"{found['cohort']}: {found['follow_ups_left_out']} follow-up scans left out, "
        f"{found['sessions_beyond_the_first']} further sessions grouped with their patient")  # fmt: skip
    for role, counts in found["compared"].items():
        evidence = ", ".join(f"{n} by {kind}" for kind, n in counts["evidence"].items()) or "none"
        what, gtr = "stand twice in it", ""
        if role != "itself":
            what = f"are in {counts['with']} too"
            if counts["of_gtr_deaths"]:
                gtr = f"; {counts['shared_gtr_deaths']} of {counts['of_gtr_deaths']} deaths after GTR"
        say(f"  {counts['shared']} of {counts['of']} patients {what}{gtr} ({evidence})")
        if not counts["ages_tell"]:
            say("    ages in whole years, or no survival: only ids and voxels (audit.voxels=true) tell here")
    total = sum(counts["shared"] for counts in found["compared"].values())
    say(f"{total} findings, listed with their evidence in {run.path('shared.csv')}")
