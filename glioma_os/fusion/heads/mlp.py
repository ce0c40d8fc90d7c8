"""Small multilayer perceptrons: all folds × repeats × settings of a call are one tensor program."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from glioma_os.errors import ConfigError
from glioma_os.fusion.heads.contract import Head, Prediction, Setting, Task
from glioma_os.records import Array, FusionBatch

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from glioma_os.networks.heads import BatchedMLP


def _stacked(parts: list[Array], fill: float = 0.0) -> Array:
    """(M, longest, columns) from (rows, columns) parts of any size."""
    shape = np.max([part.shape for part in parts], axis=0)
    stack = np.full((len(parts), *shape), fill)
    for member, part in enumerate(parts):
        stack[member, : part.shape[0], : part.shape[1]] = part
    return stack


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
class MLP(Head):
    """One hidden layer; cross-entropy for classes, Cox's partial likelihood for the time to death, full batch."""

    name: ClassVar[str] = "mlp"
    kinds: ClassVar[frozenset[str]] = frozenset({"classes", "time"})
    hidden: int = 16
    dropout: float = 0.1
    steps: int = 150
    learning_rate: float = 0.02
    weight_decay: tuple[float, ...] = (0.1, 0.01)
    members_at_once: int = 1024
    members_a_block: int = 128
    accelerator: str = "cpu"

    def __post_init__(self) -> None:
        for name in ("hidden", "steps", "members_at_once", "members_a_block"):
            if getattr(self, name) < 1:
                raise ConfigError(f"head.mlp.{name}", f"{getattr(self, name)} found → 1 or more expected", "Raise it")
        if not 0 <= self.dropout <= 0.9:
            raise ConfigError("head.mlp.dropout", f"{self.dropout} found → 0 to 0.9 expected", "Correct it")

    def settings(self) -> list[Setting]:
        """One per weight decay."""
        return [{"weight_decay": value} for value in self.weight_decay]

    def _fit_predict(self, tasks: list[Task]) -> list[Prediction]:
        if len({task.n_classes for task in tasks}) > 1:
            raise ConfigError("head mlp", "tasks of different class counts in one call", "Call once per endpoint")
        starts = range(0, len(tasks), self.members_at_once)
        return [found for start in starts for found in self._fit_program(tasks[start : start + self.members_at_once])]

    def _fit_program(self, tasks: list[Task]) -> list[Prediction]:
        blocks = [tasks[start : start + self.members_a_block] for start in range(0, len(tasks), self.members_a_block)]
        networks = self._trained(blocks)
        return [
            found for network, block in zip(networks, blocks, strict=True) for found in self._predicted(network, block)
        ]

    def _predicted(self, network: BatchedMLP, tasks: list[Task]) -> list[Prediction]:
        import torch

        tests = torch.from_numpy(_stacked([task.test_inputs for task in tasks])).to(_precision(tasks))
        with torch.no_grad():
            outputs = network.cpu()(tests).double()
        if tasks[0].kind == "time":
            return [
                Prediction(out[: len(task.test_inputs), 0].numpy()) for task, out in zip(tasks, outputs, strict=True)
            ]
        present = np.arange(tasks[0].n_classes)
        return [
            Prediction.of_classes(out[: len(task.test_inputs)].softmax(-1).numpy(), present, task.n_classes)
            for task, out in zip(tasks, outputs, strict=True)
        ]

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
        inputs = _stacked([task.inputs[order] for task, order in zip(tasks, orders, strict=True)])
        parts = inputs, _stacked(targets), _stacked(weights)[..., 0]
        features, target, weight = (torch.from_numpy(part).to(_precision(tasks)) for part in parts)
        return FusionBatch(features.mT.contiguous().mT, target, weight)  # features: rows last in memory

    def _trained(self, blocks: list[list[Task]]) -> list[BatchedMLP]:
        from lightning.pytorch import Trainer

        from glioma_os.modules.fusion import FusionModule, cox, cross_entropy

        networks, tasks = [self._network(block) for block in blocks], [task for block in blocks for task in block]
        objective = cox if tasks[0].kind == "time" else cross_entropy
        with _quiet_on_one_thread(), ThreadPoolExecutor(_processors()) as threads:
            module = FusionModule(networks, objective, self._decay(tasks), self.steps, self.learning_rate, threads.map)
            Trainer(
                max_epochs=1,
                accelerator=self.accelerator,
                devices=1,
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
