"""What every feature source answers, so that no step asks which one it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from glioma_os.cohorts.cohort import Cohort
from glioma_os.cohorts.eligibility import Eligible, eligible
from glioma_os.config.component import Component
from glioma_os.config.options import Eligibility, LeakPolicy
from glioma_os.fusion.folds import FeaturesOfFold
from glioma_os.pipeline.subjects import Subjects
from glioma_os.pipeline.workspace import Workspace
from glioma_os.records import Case, FeatureTable


@dataclass(frozen=True)
class FeaturesFound:
    """Tables by outer fold (None = no features), what they were made from, and the segmenters' runs by title."""

    of_fold: FeaturesOfFold | None = None
    source: Any = None
    segmenters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FeatureSource(ABC):
    """`kind` is its name in summaries; `way` how a patient's prediction comes about, for the report.

    `missing` (of a case without features): error | drop (excluded and counted) | keep (predicted from clinical values
    alone) | learn (trains the clinical part, is not evaluated).
    """

    kind: ClassVar[str]
    way: ClassVar[str]
    needs_images: ClassVar[bool] = False
    missing: ClassVar[str] = "error"

    @property
    def fits_per_fold(self) -> bool:
        """Whether every repeat of the outer folds trains networks of its own."""
        return False

    @property
    def reads(self) -> str:
        """MRI sequences that are read, for titles; empty without images."""
        return ""

    def eligible(
        self, workspace: Workspace, cohort: Cohort, cohorts: Sequence[Cohort], options: Eligibility
    ) -> Eligible:
        """Cases of `cohort`, one of the study's `cohorts`, that can be analysed."""
        return eligible(cohort, options.resection)

    def check(self, workspace: Workspace, subjects: Subjects, eligibility: Eligibility, policy: LeakPolicy) -> None:  # noqa: B027
        """Finds before any work what would fail after it."""

    def content(self, workspace: Workspace, cohorts: Sequence[Cohort]) -> Any:
        """What the features depend on beside the configuration, without training or reading a voxel."""
        return None

    @abstractmethod
    def find(
        self, workspace: Workspace, subjects: Subjects, eligibility: Eligibility, policy: LeakPolicy
    ) -> FeaturesFound:
        """The features of a study's cases in every outer fold."""

    @abstractmethod
    def external(self, workspace: Workspace, sides: ExternalSides) -> FeatureTable | None:
        """One table over training and test cases, by an encoder that has seen no test patient."""

    @abstractmethod
    def apply(self, workspace: Workspace, cohort: Component, segmenter: str | None) -> FeatureTable | None:
        """Features of every case of a cohort for a stored pipeline, whose segmenter's run is `segmenter`."""


@dataclass(frozen=True)
class ExternalSides:
    """Training and test cases of an external validation, and the components of their cohorts."""

    train: Sequence[Component]
    test: Component
    train_cases: Sequence[Case]
    test_cases: Sequence[Case]
    eligibility: Eligibility
    policy: LeakPolicy
