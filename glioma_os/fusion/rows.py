"""The table a study is run on: one row per case, its outcome, and what was known before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from glioma_os.errors import ConfigError, DataError
from glioma_os.records import Array, Case, Clinical, Extent

ClinicalSet = Literal["age", "clinical"]
CLINICAL_NAMES = ("age", "sex", "kps", "gtr", "idh", "mgmt")


def _values(of: Clinical) -> list[float]:
    """One row in the order of CLINICAL_NAMES: years, male = 1, points, gross total = 1, mutant = 1, methylated = 1."""
    found = (
        of.age_years,
        None if of.sex is None else of.sex == "M",
        of.kps,
        None if of.extent is None else of.extent is Extent.GTR,
        of.idh_mutant,
        of.mgmt_methylated,
    )
    return [np.nan if value is None else float(value) for value in found]


def clinical_columns(cases: Sequence[Case], which: ClinicalSet) -> tuple[Array, tuple[str, ...]]:
    """Values (cases, columns) with NaN = not recorded, and the columns' names."""
    if which not in ("age", "clinical"):
        raise ConfigError("clinical", f"{which!r} found → age or clinical expected", "Correct the key")
    kept = 1 if which == "age" else len(CLINICAL_NAMES)
    values = np.array([_values(case.clinical)[:kept] for case in cases], dtype=float).reshape(len(cases), kept)
    return values, CLINICAL_NAMES[:kept]


@dataclass(frozen=True)
class Rows:
    """One entry per case. `time` in days, `event` True = died; `clinical` (n, columns) in CLINICAL_NAMES order;
    `sites` blank where it is not recorded."""

    case_ids: tuple[str, ...]
    patient_ids: tuple[str, ...]
    time: Array
    event: Array
    clinical: Array
    sites: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.case_ids)
        if not self.sites:
            object.__setattr__(self, "sites", ("",) * n)
        shapes = (len(self.patient_ids), len(self.time), len(self.event), len(self.clinical), len(self.sites))
        if not n or any(found != n for found in shapes) or len(set(self.case_ids)) != n:
            raise DataError("rows", f"{shapes} entries for {n} case ids → one each, no id twice", "Check the cohort")

    @classmethod
    def from_cases(cls, cases: Sequence[Case]) -> Rows:
        """Every case needs an outcome; the first without one is named."""
        outcomes = [case.outcome for case in cases if case.outcome is not None]
        if len(outcomes) != len(cases):
            first = next(case.case_id for case in cases if case.outcome is None)
            raise DataError(
                first,
                f"no survival recorded, as for {len(cases) - len(outcomes)} of {len(cases)} cases",
                "Leave cases without an outcome out of the study",
            )
        return cls(
            tuple(case.case_id for case in cases),
            tuple(case.patient_id for case in cases),
            np.array([outcome.time_days for outcome in outcomes], dtype=float),
            np.array([outcome.event for outcome in outcomes], dtype=bool),
            clinical_columns(cases, "clinical")[0],
            tuple(case.site or "" for case in cases),
        )

    def and_others(self, others: Rows) -> Rows:
        """These rows, then those. A case or patient id on both sides is a DataError."""
        shared = {*self.case_ids, *self.patient_ids} & {*others.case_ids, *others.patient_ids}
        if shared:
            raise DataError("cohorts", f"id {min(shared)!r} stands in both → ids of their own expected", "Rename ids")
        return Rows(
            self.case_ids + others.case_ids,
            self.patient_ids + others.patient_ids,
            np.concatenate([self.time, others.time]),
            np.concatenate([self.event, others.event]),
            np.vstack([self.clinical, others.clinical]),
            self.sites + others.sites,
        )

    def columns(self, which: ClinicalSet) -> Array:
        """The chosen clinical columns, (n, 1 or 6), NaN = not recorded."""
        return self.clinical[:, :1] if which == "age" else self.clinical

    def sites_of(self, places: Array) -> list[str]:
        """Sites of some rows."""
        return [self.sites[place] for place in places]
