"""stage=verify: every finding of a cohort at once, files and table; exit code 3 if one of them is an error."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from glioma_os.cohorts.cohort import Cohort
from glioma_os.cohorts.overlap import repeated_patients, shared_scans
from glioma_os.errors import DataError
from glioma_os.records import Case
from glioma_os.stages.assemble import component_of, workspace_of
from glioma_os.training.progress import say, track
from glioma_os.volumes.checks import Finding, check_case
from glioma_os.volumes.conventions import coding


def findings(cohort: Cohort) -> list[Finding]:
    """All findings of a cohort, case by case."""
    cases = [case for case in cohort.cases() if case.images]
    scheme = coding(cohort.label_coding) if cohort.label_coding else None
    wanted = tuple(m for m in cohort.modalities)
    out: list[Finding] = []
    for case in track(cases, len(cases), f"Checking {cohort.name}"):
        out += check_case(case, scheme, wanted)
        out += outside_root(case, getattr(cohort, "root", None))
    return out + repeated(cohort)


def repeated(cohort: Cohort) -> list[Finding]:
    """One scan under two patient ids (an error) or in two cases of a patient, and patients that are likely one."""
    return shared_scans(cohort) + [
        Finding(pair.own, "table", "note", f"the same {pair.evidence} as patient {pair.other}",
                "Check whether they are one person, and give both one patient id")
        for pair in repeated_patients(cohort)
        if pair.evidence != "file"
    ]  # fmt: skip


def outside_root(case: Case, root: Path | None) -> list[Finding]:
    """A note for each file of a case that lies outside the cohort's folder, as a link can make it."""
    files = [*case.images.values(), *([case.label] if case.label else [])]
    away = [] if root is None else [path for path in files if not path.resolve().is_relative_to(Path(root).resolve())]
    return [
        Finding(
            case.case_id, path.name, "note", f"the file lies outside cohort.root, in {path.resolve().parent}",
            "Check that the link or path leads where it should",
        )
        for path in away
    ]  # fmt: skip


def main(cfg: DictConfig) -> None:
    """Prints the cohort's make-up, what was excluded and why, and every finding."""
    cohort = workspace_of(cfg).cohort(component_of(cfg, "cohort"))
    cases = cohort.cases()
    outcomes = [case.outcome for case in cases if case.outcome is not None]
    labelled = sum(case.label is not None for case in cases)
    say(
        f"{cohort.name}: {len(cases)} cases of {len({c.patient_id for c in cases})} patients, {labelled} with a mask "
        f"({cohort.label_coding or 'no label coding'}), {len(outcomes)} with survival "
        f"({sum(o.event for o in outcomes)} deaths)"
    )
    for case_id, reason in cohort.excluded():
        say(f"  excluded  {case_id}: {reason}")
    found = findings(cohort)
    errors = [finding for finding in found if finding.level == "error"]
    for finding in sorted(found, key=lambda f: (f.level != "error", f.case_id)):
        say(f"  {finding.level:<8}  {finding.case_id} · {finding.where}: {finding.problem}. {finding.remedy}")
    say(f"{len(errors)} errors, {len(found) - len(errors)} notes")
    if errors:
        first = errors[0]
        raise DataError(
            f"cohort {cohort.name}", f"{len(errors)} errors found, the first in case {first.case_id}",
            "Correct the files listed above, or exclude these cases",
        )  # fmt: skip
