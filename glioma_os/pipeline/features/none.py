"""features=none: clinical variables alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from glioma_os.config.component import Component
from glioma_os.config.options import Eligibility, LeakPolicy
from glioma_os.pipeline.features.contract import ExternalSides, FeaturesFound, FeatureSource
from glioma_os.pipeline.subjects import Subjects
from glioma_os.pipeline.workspace import Workspace
from glioma_os.records import FeatureTable


@dataclass(frozen=True)
class NoFeatures(FeatureSource):
    """Clinical variables only."""

    kind: ClassVar[str] = "none"
    way: ClassVar[str] = "predict from clinical variables"

    def find(
        self, workspace: Workspace, subjects: Subjects, eligibility: Eligibility, policy: LeakPolicy
    ) -> FeaturesFound:
        """None."""
        return FeaturesFound()

    def external(self, workspace: Workspace, sides: ExternalSides) -> FeatureTable | None:
        """None."""
        return None

    def apply(self, workspace: Workspace, cohort: Component, segmenter: str | None) -> FeatureTable | None:
        """None."""
        return None
