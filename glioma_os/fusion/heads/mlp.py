"""Small multilayer perceptrons: all folds × repeats × settings of a call are one tensor program."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from scipy.special import expit, softmax

from glioma_os.config.options import Above0, Penalties
from glioma_os.errors import ConfigError
from glioma_os.fusion.heads.contract import Head, Model, Prediction, Setting, Task
from glioma_os.records import Array, FusionBatch

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from glioma_os.networks.heads import BatchedMLP


def _stack(parts: list[Array], fill: float = 0.0) -> Array:
    """(M, longest, columns) from (rows, columns) parts of any size."""
    shape = np.max([part.shape for part in parts], axis=0)
    stack = np.full((len(parts), *shape), fill)
    for member, part in enumerate(parts):
        stack[member, : part.shape[0], : part.shape[1]] = part
    return stack


def _parts(tasks: list[Task], most: int) -> list[list[Task]]:
    """Consecutive tasks, at most so many in a part."""
    return [tasks[start : start + most] for start in range(0, len(tasks), most)]


@dataclass(frozen=True)
class _Once:
    """A single full batch, block by block; a list would be taken for several loaders."""

    batch: list[FusionBatch]

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[list[FusionBatch]]:
        yield self.batch


def _precision(tasks: list[Task]) -> torch.dtype:
    """float32 for classes. Cox's likelihood has no intercept, and of the rounding that its gradient then is, Adam makes
    whole steps in float32: float64 for times."""
    import torch

    return torch.float64 if tasks[0].kind == "time" else torch.float32


def _processors() -> int:
    """As many as this job was given, or the machine has."""
    return int(os.environ.get("OMP_NUM_THREADS", "").split(",")[0] or os.cpu_count() or 1)  # a list: a number a level


@contextmanager
def _quiet_on_one_thread() -> Iterator[None]:
    """Lightning announces its devices on every fit, and 2.6 calls a torch constructor that is to go.

    One thread an operation: on tensors this small, threads of a busy machine wait for each other (measured: 8.4 s
    against .17). Blocks share the processors instead.
    """
    import torch

    logger, threads = logging.getLogger("lightning.pytorch"), torch.get_num_threads()
    level = logger.level
    logger.setLevel(logging.ERROR)
    torch.set_num_threads(1)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*LeafSpec", category=FutureWarning)
            yield
    finally:
        logger.setLevel(level)
        torch.set_num_threads(threads)


@dataclass(frozen=True)
class MLPModel(Model):
    """Weights and biases of both layers, in the precision they were trained in."""

    first: Array
    first_bias: Array
    last: Array
    last_bias: Array
    n_classes: int

    def predict(self, inputs: Array, horizons_days: Array) -> Prediction:
        """Log-hazard for the time to death, else class probabilities; no curves."""
        scores = np.asarray(inputs, self.first.dtype) @ self.first.T + self.first_bias
        outputs = ((scores * expit(scores)) @ self.last.T + self.last_bias).astype(float)
        if not self.n_classes:
            return Prediction(outputs[:, 0])
        return Prediction.of_classes(softmax(outputs, axis=1), np.arange(self.n_classes), self.n_classes)


@dataclass(frozen=True)
class MLP(Head):
    """One hidden layer; cross-entropy for classes, Cox's partial likelihood for the time to death, full batch."""

    name: ClassVar[str] = "mlp"
    title: ClassVar[str] = "MLP"
    kinds: ClassVar[frozenset[str]] = frozenset({"classes", "time"})
    hidden: int = 16
    dropout: float = 0.1
    steps: int = 150
    learning_rate: Above0 = 0.02
    weight_decay: Penalties = (0.1, 0.01)
    members_per_program: int = 1024
    members_per_block: int = 128
    accelerator: Literal["cpu", "gpu"] = "cpu"

    def __post_init__(self) -> None:
        for name in ("hidden", "steps", "members_per_program", "members_per_block"):
            if getattr(self, name) < 1:
                raise ConfigError(
                    f"head.mlp.{name}", f"{getattr(self, name)} found → 1 or more expected", "Raise the value"
                )
        if not 0 <= self.dropout <= 0.9:
            raise ConfigError("head.mlp.dropout", f"{self.dropout} found → 0 to 0.9 expected", "Correct the value")

    def settings(self) -> list[Setting]:
        """One per weight decay."""
        return [{"weight_decay": value} for value in self.weight_decay]

    def _fit(self, tasks: list[Task]) -> list[MLPModel]:
        if len({task.n_classes for task in tasks}) > 1:
            raise ConfigError("head mlp", "tasks of different class counts in one call", "Call once per endpoint")
        programs = _parts(tasks, self.members_per_program)
        return [model for program in programs for model in self._fit_program(program)]

    def _fit_program(self, tasks: list[Task]) -> list[MLPModel]:
        blocks = _parts(tasks, self.members_per_block)
        return [
            model
            for network, block in zip(self._train(blocks), blocks, strict=True)
            for model in self._models(network, block)
        ]

    def _models(self, network: BatchedMLP, tasks: list[Task]) -> list[MLPModel]:
        parts = (network.first_weight, network.first_bias, network.last_weight, network.last_bias)
        first, first_bias, last, last_bias = (part.detach().cpu().numpy() for part in parts)
        return [
            MLPModel(
                first[k, :, : task.inputs.shape[1]].copy(), first_bias[k, :, 0].copy(), last[k].copy(),
                last_bias[k, :, 0].copy(), task.n_classes,
            )
            for k, task in enumerate(tasks)
        ]  # fmt: skip

    def _batch(self, tasks: list[Task]) -> FusionBatch:
        """Rows in falling time, padding last, as the Cox objective needs them."""
        import torch

        orders = [np.argsort(-task.time, kind="stable") for task in tasks]
        if tasks[0].kind == "time":
            targets = [np.column_stack([t.time, t.event])[order] for t, order in zip(tasks, orders, strict=True)]
            weights = [np.ones((len(task.time), 1)) for task in tasks]
        else:
            for task in tasks:
                task.labelled()
            of_class = np.eye(tasks[0].n_classes)
            targets = [of_class[np.maximum(t.classes, 0)[order]] for t, order in zip(tasks, orders, strict=True)]
            of_rows = [(t.classes >= 0) * (1.0 if t.weights is None else t.weights) for t in tasks]
            weights = [own[order, None] for own, order in zip(of_rows, orders, strict=True)]
        inputs = _stack([task.inputs[order] for task, order in zip(tasks, orders, strict=True)])
        parts = inputs, _stack(targets), _stack(weights)[..., 0]
        features, target, weight = (torch.from_numpy(part).to(_precision(tasks)) for part in parts)
        return FusionBatch(features.mT.contiguous().mT, target, weight)  # features: rows last in memory

    def _train(self, blocks: list[list[Task]]) -> list[BatchedMLP]:
        from lightning.pytorch import Trainer
        from lightning.pytorch.plugins.environments import LightningEnvironment

        from glioma_os.modules.fusion import FusionModule, cox, cross_entropy

        networks, tasks = [self._network(block) for block in blocks], [task for block in blocks for task in block]
        objective = cox if tasks[0].kind == "time" else cross_entropy
        with _quiet_on_one_thread(), ThreadPoolExecutor(_processors()) as threads:
            module = FusionModule(networks, objective, self._decay(tasks), self.steps, self.learning_rate, threads.map)
            Trainer(
                max_epochs=1,
                accelerator=self.accelerator,
                devices=1,
                plugins=[LightningEnvironment()],  # named, not guessed from a queue's variables
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
            ).fit(module, _Once([self._batch(block) for block in blocks]))
        return networks

    def _network(self, tasks: list[Task]) -> BatchedMLP:
        from glioma_os.networks.heads import BatchedMLP

        seeds, widths = [task.seed for task in tasks], [task.inputs.shape[1] for task in tasks]
        return BatchedMLP(seeds, widths, self.hidden, tasks[0].n_classes or 1, self.dropout, _precision(tasks))

    def _decay(self, tasks: list[Task]) -> Tensor:
        import torch

        return torch.tensor([task.setting["weight_decay"] for task in tasks], dtype=_precision(tasks))
