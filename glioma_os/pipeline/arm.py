"""One arm of a study: whose survival is predicted, from what, by which heads, and how that is validated."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from glioma_os.cohorts.cohort import Cohort
from glioma_os.cohorts.eligibility import Eligible, survival_strata
from glioma_os.cohorts.splits import make_folds
from glioma_os.config.component import Component
from glioma_os.config.options import Eligibility, Validation
from glioma_os.errors import ConfigError
from glioma_os.fusion.rows import Rows, clinical_variables
from glioma_os.pipeline.features.contract import FeaturesFound, FeatureSource
from glioma_os.pipeline.subjects import Subjects
from glioma_os.pipeline.workspace import Workspace
from glioma_os.survival.endpoints import Endpoint
from glioma_os.training.progress import say

if TYPE_CHECKING:
    from glioma_os.fusion.preprocessing import Preparation


@dataclass(frozen=True)
class Arm:
    """What a validation of survival depends on. Other cohorts are put to the same arm by the steps that need them."""

    name: str
    cohort: Component
    eligibility: Eligibility
    features: FeatureSource
    endpoint: Endpoint
    head_components: tuple[Component, ...]
    validation: Validation
    seed: int

    @cached_property
    def heads(self) -> tuple[Any, ...]:
        """Heads that serve the endpoint. None left is a ConfigError."""
        asked = [component.build() for component in self.head_components]
        served = tuple(head for head in asked if self.endpoint.kind in head.kinds)
        if not served:
            raise ConfigError(
                f"head={asked[0].name}" if asked else "head",
                f"endpoint {self.endpoint.name} of kind {self.endpoint.kind} found → "
                f"{sorted(asked[0].kinds) if asked else 'a head'} expected", "Choose another head or endpoint",
            )  # fmt: skip
        return served

    @property
    def repeats(self) -> int:
        """Repeats of the outer folds. `auto`: one where each repeat fine-tunes its own segmenters, else ten."""
        given = self.validation.repeats
        if given != "auto":
            return given
        return 1 if self.features.fits_per_fold and self.validation.leak_policy == "strict" else 10

    @property
    def variables(self) -> tuple[str, ...]:
        """Clinical variables that are asked for."""
        return clinical_variables(self.validation.clinical)

    @cached_property
    def preparation(self) -> Preparation:
        """How inputs are prepared inside the folds."""
        from glioma_os.fusion.preprocessing import Preparation  # a finished study needs no scikit-learn

        options = self.validation
        return Preparation(
            options.components, options.age_in_pca, options.scaling, options.combat.enabled, options.combat.reference,
            self.features.missing == "learn", options.whitening,
        )  # fmt: skip

    def eligible(self, workspace: Workspace, cohort: Cohort, *others: Cohort) -> Eligible:
        """Cases of `cohort` that can be analysed; `others`: further cohorts of the same study."""
        return self.features.eligible(workspace, cohort, [cohort, *others], self.eligibility)

    def subjects(self, workspace: Workspace) -> Subjects:
        """The eligible cases of the arm's cohort, and their outer folds, which segmenters and heads share."""
        cohort = workspace.cohort(self.cohort)
        cases, excluded = self.eligible(workspace, cohort)
        folds = make_folds(
            [case.patient_id for case in cases], survival_strata(cases), self.validation.folds, self.repeats, self.seed
        )
        return Subjects(self.cohort, cohort, cases, excluded, folds)

    def check(self, workspace: Workspace) -> None:
        """Builds what is cheap, so that a wrong word is found before hours of work, not after."""
        from glioma_os.survival.horizon import horizons_beyond

        _ = self.heads, self.preparation, self.variables
        subjects = self.subjects(workspace)
        last = float(np.max([case.outcome.time_days for case in subjects.cases if case.outcome]))
        if beyond := horizons_beyond(self.validation.horizons_days, last):
            days = ", ".join(f"{day:g}" for day in beyond)
            say(f"validation.horizons_days: beyond the last follow-up ({last:g} days), not used: {days}")
        self.features.check(workspace, subjects, self.eligibility, self.validation.leak_policy)

    def find_features(self, workspace: Workspace, subjects: Subjects) -> FeaturesFound:
        """Features of these cases in every outer fold."""
        return self.features.find(workspace, subjects, self.eligibility, self.validation.leak_policy)

    def rows(self, subjects: Subjects) -> Rows:
        """The table that the heads are validated on."""
        return Rows.from_cases(subjects.cases)
