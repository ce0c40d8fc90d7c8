"""Label-permutation and noise-feature control: the same validation where nothing can be predicted."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from glioma_os.config.options import PermutationOptions
from glioma_os.errors import ConfigError
from glioma_os.fusion.folds import FeaturesOfFold
from glioma_os.fusion.null import NullKind, noise_like, null_scores, permute_outcomes, shuffle_features
from glioma_os.fusion.rows import Rows
from glioma_os.pipeline.arm import Arm
from glioma_os.pipeline.step import Step
from glioma_os.pipeline.survival import VALIDATED_BY, ValidateSurvival, validated
from glioma_os.pipeline.workspace import Workspace
from glioma_os.reporting.result_files import csv_bytes
from glioma_os.training.progress import track
from glioma_os.training.run import Run
from glioma_os.volumes.atomic import atomic_write


@dataclass(frozen=True)
class PermutationTest(Step):
    """Null runs of an arm's validation."""

    stage: ClassVar[str] = "permutation_test"
    version: ClassVar[int] = 2
    guards: ClassVar[tuple[str, ...]] = (*VALIDATED_BY, "glioma_os.pipeline.permutation_test")
    options: PermutationOptions
    validation: ValidateSurvival

    @classmethod
    def of(cls, workspace: Workspace, arm: Arm, options: PermutationOptions) -> PermutationTest:
        """The step; segmenters are trained and features made first."""
        validation = ValidateSurvival.of(workspace, arm)
        if validation.found.of_fold is None and options.kind != "labels":
            raise ConfigError("permutation_test.kind", f"{options.kind} with features=none found → labels expected",
                              "Set permutation_test.kind=labels, or choose features")  # fmt: skip
        return cls(arm.seed, options, validation)

    def work(self, workspace: Workspace, run: Run) -> None:
        """null.csv: every configuration's mean, highest and p over the null runs, beside the observed score."""
        options, (arm, subjects) = self.options, (self.validation.arm, self.validation.subjects)
        features, rows = self.validation.found.of_fold, arm.rows(subjects)
        scores = null_scores(
            lambda number: validated(arm, subjects, *null_inputs(rows, features, options.kind, number)),
            track(range(options.runs), options.runs, f"Control runs, {options.kind}"), options.kind,
            validated(arm, subjects, rows, features),
        )  # fmt: skip
        names: list[Any] = list(asdict(scores[0])) if scores else []
        atomic_write(run.path("null.csv"), csv_bytes(names, [list(asdict(score).values()) for score in scores]))
        run.write_json("null.json", {"scores": [asdict(score) for score in scores]})


def null_inputs(
    rows: Rows, features: FeaturesOfFold | None, kind: NullKind, seed: int
) -> tuple[Rows, FeaturesOfFold | None]:
    """Rows with permuted labels, or features that are noise or another patient's."""
    if kind == "labels" or features is None:
        return permute_outcomes(rows, seed), features
    if kind == "noise":
        return rows, lambda repeat, fold: noise_like(features(repeat, fold), seed)
    return rows, lambda repeat, fold: shuffle_features(features(repeat, fold), rows.case_ids, seed)
