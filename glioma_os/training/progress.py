"""A bar for whatever takes seconds: live on a terminal, one line at the end elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import lightning.pytorch as pl
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

T = TypeVar("T")
console = Console(file=sys.stderr, highlight=False)


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TimeRemainingColumn(), TextColumn("{task.fields[note]}"), console=console, disable=not console.is_terminal,
    )  # fmt: skip


def say(text: str) -> None:
    """One line to the user, on stderr."""
    console.print(text, markup=False, soft_wrap=True)


def track(items: Iterable[T], total: int, title: str) -> Iterator[T]:
    """Yields the items under a bar; off a terminal says the title, the count and the seconds once, at the end."""
    start = time.monotonic()
    with _bar() as bar:
        task = bar.add_task(title, total=total, note="")
        for item in items:
            yield item
            bar.advance(task)
    if not console.is_terminal:
        say(f"{title}: {total} in {time.monotonic() - start:.0f} s")


class FitProgress(pl.Callback):
    """The bar of a fit: steps, time left and the last loss."""

    def __init__(self, title: str) -> None:
        self.title = title

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Opens the bar."""
        self.start = time.monotonic()
        self.bar = _bar()
        total = int(trainer.estimated_stepping_batches)
        self.task = self.bar.add_task(self.title, total=total, completed=trainer.global_step, note="")
        self.bar.start()

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """One step further."""
        note = f"loss {float(outputs['loss']):.3f}" if outputs else ""
        self.bar.update(self.task, completed=trainer.global_step, note=note)

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Closes the bar."""
        self.bar.stop()
        loss = trainer.callback_metrics["train/loss"]
        if not console.is_terminal:
            seconds = time.monotonic() - self.start
            say(f"{self.title}: {trainer.global_step} steps in {seconds:.0f} s, last loss {float(loss):.3f}")

    def on_exception(self, trainer: pl.Trainer, module: pl.LightningModule, exception: BaseException) -> None:
        """Leaves the terminal clean."""
        if hasattr(self, "bar"):
            self.bar.stop()
