"""Which cases of a cohort are analysed, and how their folds are balanced."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import NamedTuple

from glioma_os.cohorts.cohort import Cohort
from glioma_os.errors import DataError
from glioma_os.records import Case, Extent


class Eligible(NamedTuple):
    """Cases whose survival can be predicted, and how many others were left out for which reason."""

    cases: list[Case]
    excluded: dict[str, int]


def eligible(
    cohort: Cohort, extents: Collection[str] | None = None, featured: Collection[str] | None = None
) -> Eligible:
    """Cases with an outcome, one of these extents of resection (None = any) and features (`featured`: ids of the cases
    that have some, None = not asked). Nobody left is a DataError that counts the reasons."""
    allowed = None if extents is None else {Extent(word) for word in extents}
    kept: list[Case] = []
    reasons = Counter(reason for _, reason in cohort.excluded())
    for case in cohort.cases():
        if case.outcome is None:
            reasons["no survival recorded"] += 1
        elif allowed is not None and case.clinical.extent not in allowed:
            reasons[f"resection not {' or '.join(sorted(allowed))}"] += 1
        elif featured is not None and case.case_id not in featured:
            reasons["no features"] += 1
        else:
            kept.append(case)
    if not kept:
        counted = ", ".join(f"{count} {reason}" for reason, count in reasons.items()) or "no case at all"
        raise DataError(
            f"cohort {cohort.name}", f"no eligible patient found ({counted})", "Check the table and the ids"
        )
    return Eligible(kept, dict(reasons))


def survival_strata(cases: Sequence[Case]) -> list[int]:
    """Third of the survival times (0 to 2), + 3 if censored: balances folds, decides nothing else."""
    outcomes = [case.outcome for case in cases if case.outcome is not None]
    ranked = sorted(range(len(cases)), key=lambda place: (outcomes[place].time_days, cases[place].case_id))
    strata = [0] * len(cases)
    for rank, place in enumerate(ranked):
        strata[place] = rank * 3 // len(cases) + (0 if outcomes[place].event else 3)
    return strata


def labelled_patients(cohort: Cohort) -> list[str]:
    """Patients with a mask, sorted."""
    return sorted({case.patient_id for case in cohort.cases() if case.label is not None})
