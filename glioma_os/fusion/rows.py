"""The table a study is run on: one row per case, its outcome, and what was known before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glioma_os.errors import ConfigError, DataError
from glioma_os.records import Array, Case, Clinical, Extent

# Variable → its columns: years; male = 1; points; worse than gross total = 1, biopsy alone = 1; mutant, methylated = 1.
CLINICAL_VARIABLES: dict[str, tuple[str, ...]] = {
    "age": ("age",), "sex": ("sex",), "kps": ("kps",), "eor": ("eor_not_gtr", "eor_biopsy"), "idh": ("idh",),
    "mgmt": ("mgmt",),
}  # fmt: skip
CLINICAL_COLUMNS = tuple(column for columns in CLINICAL_VARIABLES.values() for column in columns)


def clinical_variables(asked: str | Sequence[str]) -> tuple[str, ...]:
    """Names in their order: `age`, `clinical` (all of them), or a list of names. Any other word is a ConfigError."""
    words = tuple(CLINICAL_VARIABLES) if asked == "clinical" else (asked,) if isinstance(asked, str) else tuple(asked)
    unknown = [word for word in words if word not in CLINICAL_VARIABLES]
    if unknown or not words:
        raise ConfigError(
            "validation.clinical", f"{unknown[0] if unknown else 'none'!r} found → age, clinical, or a list of "
            f"{', '.join(CLINICAL_VARIABLES)} expected", "Correct the value",
        )  # fmt: skip
    return tuple(name for name in CLINICAL_VARIABLES if name in words)


def column_places(variables: Sequence[str]) -> list[int]:
    """Places of these variables' columns among CLINICAL_COLUMNS."""
    return [CLINICAL_COLUMNS.index(column) for name in variables for column in CLINICAL_VARIABLES[name]]


def _values(of: Clinical) -> list[float]:
    """One row in the order of CLINICAL_COLUMNS; NaN = not recorded."""
    found = (
        of.age_years,
        None if of.sex is None else of.sex == "M",
        of.kps,
        None if of.extent is None else of.extent is not Extent.GTR,
        None if of.extent is None else of.extent is Extent.BIOPSY,
        of.idh_mutant,
        of.mgmt_methylated,
    )
    return [np.nan if value is None else float(value) for value in found]


def clinical_values(cases: Sequence[Case]) -> Array:
    """(cases, columns) in CLINICAL_COLUMNS order, NaN = not recorded."""
    return np.array([_values(case.clinical) for case in cases], float).reshape(len(cases), len(CLINICAL_COLUMNS))


@dataclass(frozen=True)
class Rows:
    """One entry per case. `time` in days, `event` True = died; `clinical` (n, columns) in CLINICAL_COLUMNS order;
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
            clinical_values(cases),
            tuple(case.site or "" for case in cases),
        )

    def and_others(self, others: Rows) -> Rows:
        """These rows, then those. A case or patient id on both sides is a DataError."""
        shared = {*self.case_ids, *self.patient_ids} & {*others.case_ids, *others.patient_ids}
        if shared:
            raise DataError("cohorts", f"id {min(shared)!r} found in both → distinct ids expected", "Rename the ids")
        return Rows(
            self.case_ids + others.case_ids,
            self.patient_ids + others.patient_ids,
            np.concatenate([self.time, others.time]),
            np.concatenate([self.event, others.event]),
            np.vstack([self.clinical, others.clinical]),
            self.sites + others.sites,
        )

    def columns(self, variables: Sequence[str]) -> Array:
        """The columns of the chosen clinical variables, (n, columns), NaN = not recorded."""
        return self.clinical[:, column_places(variables)]

    def sites_of(self, places: Array) -> list[str]:
        """Sites of some rows."""
        return [self.sites[place] for place in places]
