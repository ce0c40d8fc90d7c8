"""What watches a fit: its loss must stay a number, and its progress must be seen."""

from __future__ import annotations

import time
from typing import Any

import lightning.pytorch as pl
import torch

from glioma_os.errors import TrainingError
from glioma_os.training.progress import console, new_bar, say
from glioma_os.training.trackers import CurveLogger


class FiniteGuard(pl.Callback):
    """A loss that is not finite is an error that names the step and the cases, before it reaches the weights."""

    def on_before_backward(self, trainer: pl.Trainer, module: pl.LightningModule, loss: torch.Tensor) -> None:
        """Raises a TrainingError if the loss is NaN or infinite."""
        if not torch.isfinite(loss):
            raise TrainingError(
                f"step {trainer.global_step}", f"loss {loss.item()} found → a finite number expected",
                "Lower schedule.lr, or train in float32 (trainer.precision=32-true)",
            )  # fmt: skip


class SameConfiguration(pl.Callback):
    """All ranks of a process group must train the same run: under a sweep they once silently did not."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id

    def on_fit_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Raises a TrainingError where a rank holds another run."""
        if trainer.world_size == 1:
            return
        found: list[Any] = [None] * trainer.world_size
        torch.distributed.all_gather_object(found, self.run_id)
        if len(set(found)) > 1:
            raise TrainingError(
                "trainer.devices",
                f"runs {sorted(set(found))} found in one process group → one run expected",
                "Start it again",
            )


class CurveBeforeCheckpoint(pl.Callback):
    """Writes an epoch's row of the curves before its checkpoint. Lightning logs it after, and a fit that is killed
    between the two would go on without it."""

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """The row that Lightning logs next, which then replaces it."""
        row = {name: float(value) for name, value in trainer.logged_metrics.items()} | {"epoch": trainer.current_epoch}
        for logger in trainer.loggers:
            if isinstance(logger, CurveLogger):
                logger.log_metrics(row, trainer.global_step - 1)
                logger.save()


class FitProgress(pl.Callback):
    """The bar of a fit: steps, time left and the last loss; a line per epoch where there is no terminal."""

    def __init__(self, title: str) -> None:
        self.title = title

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Opens the bar; other ranks than the first stay silent."""
        self.start = time.monotonic()
        self.bar = new_bar(trainer.is_global_zero)
        total = int(trainer.estimated_stepping_batches)
        self.task = self.bar.add_task(self.title, total=total, completed=trainer.global_step, note="")
        self.bar.start()

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """One step further."""
        note = f"loss {float(outputs['loss']):.3f}" if outputs else ""
        self.bar.update(self.task, completed=trainer.global_step, note=note)

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """How far, for a log file; the last epoch's line is that of the end."""
        epoch, epochs = trainer.current_epoch + 1, int(trainer.max_epochs or 0)
        if not console.is_terminal and trainer.is_global_zero and epoch < epochs:
            loss, seconds = float(trainer.callback_metrics["train/loss"]), time.monotonic() - self.start
            say(f"{self.title}: epoch {epoch} of {epochs}, {seconds:.0f} s, loss {loss:.3f}")

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Closes the bar."""
        self.bar.stop()
        loss = trainer.callback_metrics["train/loss"]
        if not console.is_terminal and trainer.is_global_zero:
            seconds = time.monotonic() - self.start
            epochs = trainer.current_epoch
            say(f"{self.title}: epoch {epochs} of {epochs}, {trainer.global_step} steps in {seconds:.0f} s, "
                f"loss {float(loss):.3f}")  # fmt: skip

    def on_exception(self, trainer: pl.Trainer, module: pl.LightningModule, exception: BaseException) -> None:
        """Leaves the terminal clean."""
        if hasattr(self, "bar"):
            self.bar.stop()
