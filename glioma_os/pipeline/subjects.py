"""The patients of a study: the eligible cases of its cohort, and their outer folds."""

from __future__ import annotations

from dataclasses import dataclass

from glioma_os.cohorts.cohort import Cohort
from glioma_os.cohorts.splits import Folds
from glioma_os.config.component import Component
from glioma_os.records import Case


@dataclass(frozen=True)
class Subjects:
    """`excluded`: how many cases were left out for which reason."""

    component: Component
    cohort: Cohort
    cases: list[Case]
    excluded: dict[str, int]
    folds: Folds

    @property
    def patients(self) -> set[str]:
        """Patient ids."""
        return {case.patient_id for case in self.cases}
