"""How the segmenters of a study come about: pre-trained, then fine-tuned for each outer fold, or once, or not."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from glioma_os.cohorts.cohort import Cohort
from glioma_os.cohorts.eligibility import labelled_patients
from glioma_os.cohorts.exposure import Exposure, exposure
from glioma_os.cohorts.splits import Folds, share_of_patients
from glioma_os.config.component import Component
from glioma_os.config.options import Finetuning, LeakPolicy, Pretraining
from glioma_os.errors import ConfigError
from glioma_os.pipeline.fit import Finetune, Pretrain, Recipe, Training, import_weights
from glioma_os.pipeline.segmenter import Segmenter
from glioma_os.pipeline.workspace import Workspace
from glioma_os.sweeps.jobs import REPORTS

ALL = "all patients"


def fold_title(repeat: int, fold: int) -> str:
    """How a fold is called in titles and as a key."""
    return f"repeat {repeat + 1} fold {fold + 1}"


@dataclass(frozen=True)
class SegmentationPlan:
    """All that the segmenters of one arm depend on. Cohorts are None where nothing is trained on them."""

    recipe: Recipe
    channels: tuple[str, ...]
    pretraining: Pretraining
    pretraining_cohort: Component | None
    pretraining_fit: Training
    finetuning: Finetuning
    finetuning_cohort: Component | None
    finetuning_fit: Training
    transfer: Component
    seed: int

    def load(self) -> None:
        """Imports the classes and checks their values, so that a wrong one is found before hours of work."""
        for part in (self.recipe.network, self.recipe.data, self.transfer, self.pretraining_fit.objective,
                     self.pretraining_fit.augmentation, self.finetuning_fit.objective,
                     self.finetuning_fit.augmentation):  # fmt: skip
            part.load()
        self.recipe.network.build(channels=len(self.channels))
        self.transfer.build()
        for fit in (self.pretraining_fit, self.finetuning_fit):
            fit.objective.build()
            fit.augmentation.build()

    def cohorts(self) -> dict[str, Component]:
        """Cohorts beside the survival cohort that segmenters are trained on, by their key in the configuration."""
        found = {"pretraining.cohort": self.pretraining_cohort, "finetuning.cohort": self.finetuning_cohort}
        return {key: cohort for key, cohort in found.items() if cohort is not None}

    @property
    def fits_per_fold(self) -> bool:
        """Whether segmenters are fine-tuned on the survival cohort itself."""
        return self.finetuning.source == "own"

    def pretrained(self, workspace: Workspace) -> Segmenter | None:
        """The segmenter before it meets the survival cohort: trained here, or a user's own weights, or none."""
        options, channels = self.pretraining, self.pretraining.channels
        if options.source == "none":
            return None
        if options.source == "weights":
            network = self.recipe.network
            run = import_weights(workspace, network, len(channels), options.weights, options.md5, self.seed)
            return Segmenter(run, network, channels, self.channels)
        assert self.pretraining_cohort is not None
        cohort = workspace.cohort(self.pretraining_cohort)
        patients = labelled_patients(cohort)
        order = np.random.default_rng(self.seed).permutation(len(patients))
        held = tuple(sorted(patients[place] for place in order[: options.holdout]))
        if len(held) >= len(patients):
            raise ConfigError(
                "pretraining.holdout", f"{len(held)} of {len(patients)} patients found → fewer expected", "Lower it"
            )
        train = tuple(patient for patient in patients if patient not in set(held))
        step = Pretrain.on(
            workspace, self.recipe, self.pretraining_fit, self.pretraining_cohort, channels, (train, held), self.seed,
            f"Pre-training on {cohort.name}",
        )  # fmt: skip
        return Segmenter(step.run(workspace), self.recipe.network, channels, self.channels)

    def finetuned(
        self, workspace: Workspace, parent: Segmenter | None, cohort: Component, patients: Collection[str],
        held: Collection[str], title: str,
    ) -> Segmenter:  # fmt: skip
        """`parent`'s weights fine-tuned on labelled `patients` of that cohort, scored on `held`.

        Of `patients`, `finetuning.fraction` is used: smaller fractions are parts of larger ones, whatever the fold.
        """
        used = share_of_patients(sorted(patients), self.finetuning.fraction, self.seed)
        step = Finetune.on(
            workspace, self.recipe, self.finetuning_fit, cohort, self.channels, (used, tuple(sorted(held))), self.seed,
            title, parent, self.transfer,
        )  # fmt: skip
        return step.segmenter(step.run(workspace))

    def segmenters(
        self, workspace: Workspace, cohort: Component, folds: Folds, leak_policy: LeakPolicy
    ) -> dict[str, Segmenter]:
        """Title → segmenter: one a fold if fine-tuned on the survival cohort under `strict`, else one for everyone."""
        if not self.fits_per_fold:
            return {ALL: self._shared(workspace)}
        parent, labelled = self.pretrained(workspace), set(labelled_patients(workspace.cohort(cohort)))
        if leak_policy != "strict":
            title = "Fine-tuning on all patients, test patients among them"
            return {ALL: self.finetuned(workspace, parent, cohort, labelled, (), title)}
        out = {}
        for repeat in range(folds.repeats):
            for fold in range(folds.n_folds):
                held, title = set(folds.test(repeat, fold)), fold_title(repeat, fold)
                out[title] = self.finetuned(
                    workspace, parent, cohort, labelled - held, labelled & held,
                    f"Fine-tuning {workspace.arm}, {title}",
                )  # fmt: skip
                _report_objective(workspace, out[title].dice_rows())
        return out

    def external(self, workspace: Workspace, cohort: Component, patients: Collection[str]) -> Segmenter:
        """One segmenter for a training cohort and others: shared, or fine-tuned on all labelled `patients` of the
        training cohort."""
        if not self.fits_per_fold:
            return self._shared(workspace)
        own = workspace.cohort(cohort)
        train = set(labelled_patients(own)) & set(patients)
        parent, title = self.pretrained(workspace), f"Fine-tuning on all of {own.name}"
        return self.finetuned(workspace, parent, cohort, train, (), title)

    def exposure(self, workspace: Workspace, segmenter: Segmenter, own: Cohort, cohort: Component) -> Exposure:
        """`own`'s patients that this segmenter was trained on; `cohort` is the survival cohort of the plan."""
        others = [cohort] if self.fits_per_fold else [self.finetuning_cohort] if self.finetuning_cohort else []
        early = self.pretraining_cohort
        weights = self.pretraining.source == "weights"
        return exposure(
            own, segmenter.patients, None if early is None else workspace.cohort(early),
            [workspace.cohort(other) for other in others], self.pretraining.seen_prefix if weights else None,
        )  # fmt: skip

    def _shared(self, workspace: Workspace) -> Segmenter:
        """Fine-tuned on a cohort of its own, or as it was pre-trained."""
        found = self.pretrained(workspace)
        if self.finetuning_cohort is not None:
            cohort = workspace.cohort(self.finetuning_cohort)
            title = f"Fine-tuning on all of {cohort.name}"
            return self.finetuned(workspace, found, self.finetuning_cohort, labelled_patients(cohort), (), title)
        if found is None:
            raise ConfigError(
                "finetuning.source", "none found, and pretraining.source=none → one of the two expected",
                "Set pretraining.source or finetuning.source",
            )  # fmt: skip
        return found


def _report_objective(workspace: Workspace, rows: list[dict[str, str]]) -> None:
    """Tells a search what a fold came to: the mean Dice of its held-out cases."""
    from glioma_os.reporting.result_files import mean_dice

    if workspace.job is not None and rows:
        with (workspace.job / REPORTS).open("a") as file:
            file.write(f"{mean_dice(rows):.6f}\n")
