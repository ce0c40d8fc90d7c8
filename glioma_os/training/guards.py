"""Stops a fit at the step where its numbers stop being numbers."""

from __future__ import annotations

import lightning.pytorch as pl
import torch

from glioma_os.errors import TrainingError


class FiniteGuard(pl.Callback):
    """A loss that is not finite is an error that names the step and the cases, before it reaches the weights."""

    def on_before_backward(self, trainer: pl.Trainer, module: pl.LightningModule, loss: torch.Tensor) -> None:
        """Raises a TrainingError if the loss is NaN or infinite."""
        if not torch.isfinite(loss):
            raise TrainingError(
                f"step {trainer.global_step}", f"loss {loss.item()} found → a finite number expected",
                "Lower schedule.lr, or train in float32 (trainer.precision=32-true)",
            )  # fmt: skip
