"""features=latents: the segmenter's encoder, pooled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from glioma_os.cohorts.cohort import Cohort
from glioma_os.config.component import Component
from glioma_os.config.options import Eligibility, LeakPolicy
from glioma_os.errors import ConfigError, IntegrityError
from glioma_os.fusion.folds import seen_by_encoder
from glioma_os.pipeline.encode import encode
from glioma_os.pipeline.features.contract import ExternalSides, FeaturesFound, FeatureSource
from glioma_os.pipeline.segmentation import ALL, SegmentationPlan, fold_title
from glioma_os.pipeline.segmenter import Segmenter
from glioma_os.pipeline.subjects import Subjects
from glioma_os.pipeline.workspace import Workspace
from glioma_os.records import FeatureTable


@dataclass(frozen=True)
class LatentFeatures(FeatureSource):
    """The segmenter's encoder, pooled: mean | mean_max_std | pyramid | tumour | tumour_pyramid | flatten."""

    kind: ClassVar[str] = "latents"
    way: ClassVar[str] = "segment, extract the encoder's latents, fuse them with clinical variables, predict"
    needs_images: ClassVar[bool] = True
    plan: SegmentationPlan
    pooling: str = "pyramid"

    @property
    def fits_per_fold(self) -> bool:
        """Where segmenters are fine-tuned on the survival cohort."""
        return self.plan.fits_per_fold

    @property
    def reads(self) -> str:
        """The segmenter's channels."""
        return ", ".join(self.plan.channels)

    def check(self, workspace: Workspace, subjects: Subjects, eligibility: Eligibility, policy: LeakPolicy) -> None:
        """Latents need images, and fine-tuning on the survival cohort needs masks."""
        from glioma_os.networks.pooling import pooling

        pooling(self.pooling)
        self.plan.load()
        cases, name = subjects.cohort.cases(), subjects.cohort.name
        if not any(case.images for case in cases):
            raise ConfigError(
                "features", f"latents of {name}, a cohort without images, found → csv or none expected",
                "Set features=csv features.path=FILE, or features=none",
            )  # fmt: skip
        if self.plan.fits_per_fold and not any(case.label for case in cases):
            raise ConfigError(
                "finetuning.source", f"own found, but {name} has no mask → cohort or none expected",
                "Set finetuning.source=cohort to fine-tune on a cohort with masks, or none",
            )  # fmt: skip

    def find(
        self, workspace: Workspace, subjects: Subjects, eligibility: Eligibility, policy: LeakPolicy
    ) -> FeaturesFound:
        """One table a fold where each has a segmenter of its own."""
        found = self.plan.segmenters(workspace, subjects.component, subjects.folds, policy)
        tables = {
            title: self.encode(workspace, segmenter, subjects.cohort, subjects.component,
                               f"Latents {workspace.arm}, {title}")
            for title, segmenter in found.items()
        }  # fmt: skip
        runs = {title: segmenter.run.id for title, segmenter in found.items()}
        return FeaturesFound(
            lambda repeat, fold: tables[ALL if ALL in tables else fold_title(repeat, fold)],
            {"pooling": self.pooling, "segmenters": runs}, runs,
        )  # fmt: skip

    def external(self, workspace: Workspace, sides: ExternalSides) -> FeatureTable | None:
        """Under `strict`, an encoder that was fine-tuned on a test patient is an IntegrityError."""
        if len(sides.train) != 1:
            raise ConfigError(
                "features", "latents with several training cohorts found → csv or none expected",
                "Name one training cohort, or give a feature table",
            )  # fmt: skip
        (train,) = sides.train
        people = {case.patient_id for case in sides.train_cases}
        segmenter = self.plan.external(workspace, train, people)
        tables = []
        for component in (train, sides.test):
            cohort = workspace.cohort(component)
            tables.append(self.encode(workspace, segmenter, cohort, train, f"Latents of {cohort.name}"))
        test = workspace.cohort(sides.test)
        seen_by_encoder(tables[1], {case.patient_id for case in sides.test_cases}, test.name, sides.policy)
        wanted = [[case.case_id for case in side] for side in (sides.train_cases, sides.test_cases)]
        values = np.vstack([table.rows(ids) for table, ids in zip(tables, wanted, strict=True)])
        ids = tuple(wanted[0] + wanted[1])
        return FeatureTable(ids, tables[0].names, tables[0].blocks, values, dict(tables[1].provenance))

    def apply(self, workspace: Workspace, cohort: Component, segmenter: str | None) -> FeatureTable | None:
        """Another segmenter than the pipeline's is an IntegrityError."""
        own = workspace.cohort(cohort)
        found = self.plan.external(workspace, cohort, {case.patient_id for case in own.cases()})
        if found.run.id != segmenter:
            raise IntegrityError(
                "segmenter", f"{found.run.id} found → {segmenter} expected, as the pipeline was fitted",
                "Use the configuration that the pipeline was fitted with: finetuning.source=none or cohort, same seed",
            )  # fmt: skip
        return self.encode(workspace, found, own, cohort, f"Latents of {own.name}")

    def encode(
        self, workspace: Workspace, segmenter: Segmenter, own: Cohort, cohort: Component, title: str
    ) -> FeatureTable:
        """Latents of `own`'s cases; `cohort` is the one that the segmenters are fine-tuned on, where they are."""
        recipe = self.plan.recipe
        exposed = self.plan.exposure(workspace, segmenter, own, cohort)
        return encode(workspace, segmenter, own, recipe.spacing_mm, self.pooling, exposed, recipe.trainer,
                      self.plan.seed, title)  # fmt: skip
