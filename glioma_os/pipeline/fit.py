"""Fits of a segmenter: from a user's weights, or trained on a cohort, each a run keyed by all that shapes it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

from pydantic import TypeAdapter

from glioma_os.config.component import Component
from glioma_os.config.options import Schedule
from glioma_os.data.prepared import PreparedCohort
from glioma_os.errors import ConfigError
from glioma_os.pipeline.segmenter import Segmenter
from glioma_os.pipeline.step import Step
from glioma_os.pipeline.workspace import Workspace
from glioma_os.training.distributed import LOG, run_process_group, threads_per_rank
from glioma_os.training.options import TrainerOptions
from glioma_os.training.progress import say
from glioma_os.training.run import WEIGHTS, Run
from glioma_os.volumes.atomic import atomic_write

PLAN = "plan.json"  # in a run's folder, what each rank of a process group reads
TRAINED_BY = ("glioma_os.networks", "glioma_os.modules", "glioma_os.data", "glioma_os.training.fit",
              "glioma_os.pipeline.fit", "glioma_os.seeds")  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """How segmenters of a study are trained, whatever they are trained on. `data` names the LightningDataModule."""

    network: Component
    data: Component
    trainer: TrainerOptions
    spacing_mm: float | None


@dataclass(frozen=True)
class Training:
    """One schedule with its loss and its augmentation."""

    schedule: Schedule
    objective: Component
    augmentation: Component


@dataclass(frozen=True)
class ImportWeights(Step):
    """A user's state dict, checked against the network and taken into a run. `md5` is that of the file."""

    stage: ClassVar[str] = "pretrain"
    version: ClassVar[int] = 9
    guards: ClassVar[tuple[str, ...]] = ("glioma_os.networks.weights",)
    network: Component
    md5: str
    channels: int = field(compare=False)
    weights: str = field(compare=False)

    def work(self, workspace: Workspace, run: Run) -> None:
        """Every key must fit."""
        from safetensors.torch import save

        from glioma_os.networks.weights import load_strict, read_state_dict

        state = read_state_dict(self.weights, self.md5)
        count = load_strict(self.network.build(channels=self.channels), state, self.weights)
        say(f"Weights with md5 {self.md5}: all {count} keys fit")
        atomic_write(run.path(WEIGHTS), save({name: tensor.contiguous() for name, tensor in state.items()}))
        run.write_json("patients.json", {})


@dataclass(frozen=True)
class FitSegmenter(Step):
    """A segmenter trained on labelled patients of a cohort, from `parent`'s weights or from the seed's own start, and
    scored on those held out.

    `volumes`: keys of the prepared volumes, train and held. `transfer` says what `parent`'s weights may change.
    """

    version: ClassVar[int] = 10
    guards: ClassVar[tuple[str, ...]] = TRAINED_BY
    network: Component
    training: Training
    channels: tuple[str, ...]
    parent: Segmenter | None
    transfer: Component | None
    volumes: dict[str, list[str]]
    precision: str
    devices: int
    accumulate: int
    cohort: Component = field(compare=False)
    cohort_name: str = field(compare=False)
    recipe: Recipe = field(compare=False)
    train: tuple[str, ...] = field(compare=False)
    held: tuple[str, ...] = field(compare=False)
    title: str = field(compare=False)

    @classmethod
    def on(
        cls, workspace: Workspace, recipe: Recipe, training: Training, cohort: Component, channels: tuple[str, ...],
        patients: tuple[tuple[str, ...], tuple[str, ...]], seed: int, title: str, parent: Segmenter | None = None,
        transfer: Component | None = None,
    ) -> Self:  # fmt: skip
        """The fit on `patients` (train, held) of that cohort, whose volumes are prepared first."""
        train, held = patients
        data = workspace.prepared(workspace.cohort(cohort), channels, recipe.spacing_mm)
        volumes = {name: [volume.key for volume in data.volumes(frozenset(ids))]
                   for name, ids in (("train", train), ("held", held))}  # fmt: skip
        trainer = recipe.trainer
        return cls(
            seed=seed, network=recipe.network, training=training, channels=channels, parent=parent,
            transfer=transfer if parent else None, volumes=volumes, precision=str(trainer.resolved_precision()),
            devices=trainer.devices, accumulate=trainer.accumulate, cohort=cohort,
            cohort_name=workspace.cohort(cohort).name, recipe=recipe, train=train, held=held, title=title,
        )  # fmt: skip

    def segmenter(self, run: Run) -> Segmenter:
        """What the run holds."""
        return Segmenter(run, self.network, self.channels, self.channels)

    def work(self, workspace: Workspace, run: Run) -> None:
        """Trains in this process or in a process group, then scores the patients that are held out."""
        if self.devices == 1:
            self.fit(workspace, run)
        else:
            self._fit_in_group(workspace, run)
        keeps = self.parent is not None and self._policy().uses_pretrained
        trained = dict(self.parent.patients) if self.parent and keeps else {}
        trained[self.cohort_name] = sorted({*trained.get(self.cohort_name, []), *self.train})
        run.write_json("patients.json", trained)
        if self.held:
            from glioma_os.pipeline.scoring import score_segmenter

            score_segmenter(self.segmenter(run), self._prepared(workspace), self.held, self.recipe.trainer)

    def publish(self, workspace: Workspace, run: Run, fresh: bool) -> None:
        """Dice, slices and the weights' lineage."""
        from glioma_os.pipeline.publish import publish_fit

        publish_fit(workspace, run, self.parent.run if self.parent else None, fresh)

    def _prepared(self, workspace: Workspace) -> PreparedCohort:
        return workspace.prepared(workspace.cohort(self.cohort), self.channels, self.recipe.spacing_mm)

    def _policy(self) -> Any:
        from glioma_os.modules.transfer import Full

        return Full() if self.transfer is None else self.transfer.build()

    def _fit_in_group(self, workspace: Workspace, run: Run) -> None:
        if self.devices > len(self.train):
            raise ConfigError(
                "trainer.devices", f"{self.devices} for {len(self.train)} patients found → no more", "Lower it"
            )
        say(f"{self.title}: {self.devices} ranks, output in {run.path(LOG)}")
        self._write_plan(workspace, run)
        threads = threads_per_rank(self.devices, self.recipe.trainer.accelerator)
        run_process_group("glioma_os.pipeline.rank", run.folder, self.devices, threads)

    def _write_plan(self, workspace: Workspace, run: Run) -> None:
        """Leaves in the run's folder all that a rank needs, as plain values."""
        parts = {"step": self, "workspace": replace(workspace, cache={}), "run": run}
        values = {name: TypeAdapter(type(part)).dump_python(part, mode="json") for name, part in parts.items()}
        run.write_json(PLAN, {"stage": self.stage, **values})

    def fit(self, workspace: Workspace, run: Run) -> None:
        """Leaves the weights in the run, from a killed fit's last checkpoint where there is one."""
        import torch

        from glioma_os.modules.segmenter import SegmenterModule
        from glioma_os.training.fit import fit_segmenter
        from glioma_os.training.provenance import provenance

        torch.manual_seed(self.seed)
        policy, schedule = self._policy(), self.training.schedule
        if self.parent and policy.uses_pretrained:
            network = self.parent.load(self.recipe.trainer).train()
        else:
            network = self.network.build(channels=len(self.channels))
        module = SegmenterModule(
            network, self.training.objective.build(), policy, lr=schedule.lr, weight_decay=schedule.weight_decay,
            warmup=schedule.warmup, seed=self.seed,
        )  # fmt: skip
        run.write_json("groups.json", policy.table(module.groups))
        run.write_json("provenance.json", provenance())
        loggers = workspace.tracker.loggers(workspace.title, run)
        fit_segmenter(
            module, self._data_module(workspace, network), run, self.recipe.trainer, schedule.epochs, loggers,
            self.title,
        )  # fmt: skip

    def _data_module(self, workspace: Workspace, network: Any) -> Any:
        schedule = self.training.schedule
        patch = schedule.patch or getattr(network, "normalization_volume", None)
        return self.recipe.data.build(
            cohort=workspace.cohort(self.cohort), store=workspace.store, channels=self.channels, seed=self.seed,
            spacing_mm=self.recipe.spacing_mm, patch=patch, batch_size=schedule.batch_size,
            augmentation=self.training.augmentation.build(), train_patients=self.train, test_patients=self.held,
            divisor=network.divisor,
        )  # fmt: skip


@dataclass(frozen=True)
class Pretrain(FitSegmenter):
    """A fit from the seed's own start."""

    stage: ClassVar[str] = "pretrain"


@dataclass(frozen=True)
class Finetune(FitSegmenter):
    """A fit from pre-trained weights, where there are any."""

    stage: ClassVar[str] = "finetune"


def import_weights(workspace: Workspace, network: Component, channels: int, weights: str | None, md5: str | None,
                   seed: int) -> Run:  # fmt: skip
    """The run of a user's weights; no file named is a ConfigError, another md5 an IntegrityError."""
    from glioma_os.networks.weights import checked_md5

    if weights is None:
        raise ConfigError(
            "pretraining.weights",
            "no file given → the path of a state dict expected",
            "Set pretraining.weights=FILE, or GLIOMA_OS_BUNDLE",
        )
    return ImportWeights(seed, network, checked_md5(weights, md5), channels, weights).run(workspace)
