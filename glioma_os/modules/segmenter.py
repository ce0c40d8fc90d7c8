"""The segmenter's LightningModule: Dice on nested regions, and only what the transfer policy lets move, moves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor, nn

from glioma_os.errors import ConfigError
from glioma_os.modules.transfer import TransferPolicy, apply_freeze
from glioma_os.networks.contracts import SegmentationNetwork
from glioma_os.records import SegmentationBatch
from glioma_os.seeds import derive_seed


def supervise(objective: nn.Module, outputs: Tensor | Sequence[Tensor], regions: Tensor) -> Tensor:
    """The objective on logits (B, 3, D, H, W) and regions of that size.

    Of several outputs, full grid first (deep supervision, as nnU-Net does it): the mean of their losses with weights 1,
    1/2, 1/4, …, regions brought to each grid by the nearest voxel.
    """
    if isinstance(outputs, Tensor):
        return objective(outputs.float(), regions)
    weights = [0.5**place for place in range(len(outputs))]
    losses = []
    for output in outputs:
        own = regions
        if output.shape[2:] != regions.shape[2:]:
            own = nn.functional.interpolate(regions, size=output.shape[2:], mode="nearest-exact")
        losses.append(objective(output.float(), own))
    return torch.stack([w * loss for w, loss in zip(weights, losses, strict=True)]).sum() / sum(weights)


class SegmenterModule(pl.LightningModule):
    """Trains a network (B, C, D, H, W) → logits (B, 3, …) with `objective(logits, regions)`.

    Adam with weight decay; the rate rises linearly over `warmup` of the steps and falls along a cosine to 0.
    Dropout follows from (seed, number of the batch), so a resumed run drops what the uninterrupted one would have, and
    two ranks what one process drops that accumulates their batches.
    """

    def __init__(
        self, network: SegmentationNetwork, objective: nn.Module, policy: TransferPolicy, lr: float = 1e-4,
        weight_decay: float = 1e-5, warmup: float = 0.0, seed: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        if lr <= 0 or weight_decay < 0 or not 0 <= warmup < 1:
            raise ConfigError(
                "schedule", f"lr {lr}, weight_decay {weight_decay}, warmup {warmup} found → > 0, ≥ 0, [0, 1)",
                "Correct the value",
            )  # fmt: skip
        assert isinstance(network, nn.Module)
        self.network, self.objective, self.policy = network, objective, policy
        self.groups = policy.groups(network, lr)
        self.weight_decay, self.warmup, self.seed = weight_decay, warmup, seed

    def forward(self, image: Tensor) -> Tensor | Sequence[Tensor]:
        """Logits (B, 3, D, H, W), or in training a list of them (deep supervision)."""
        return self.network(image)

    def configure_optimizers(self) -> Any:
        """One parameter group a transfer group; what the policy never trains is not in the optimizer."""
        trained = [group for group in self.groups if group.start is not None]
        parameters = [{"params": group.parameters(), "lr": group.lr, "name": group.name} for group in trained]
        optimizer = torch.optim.Adam(parameters, weight_decay=self.weight_decay)
        total = max(1, int(self.trainer.estimated_stepping_batches))
        rise = max(1, round(self.warmup * total))

        def rate(step: int) -> float:
            if step < rise and self.warmup:
                return (step + 1) / rise
            return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - rise) / max(1, total - rise))))

        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def setup(self, stage: str) -> None:
        """Before ranks agree on which gradients they share: what never trains is not among them."""
        for group in self.groups:
            for parameter in group.parameters():
                parameter.requires_grad_(group.start is not None)

    def train(self, mode: bool = True) -> SegmenterModule:
        """Frozen parts stay in eval() however training mode is asked for."""
        super().train(mode)
        if mode:
            self._freeze()
        return self

    def _freeze(self) -> None:
        """Ranks share gradients of what they agreed on at the start, so what is unfrozen later is in it from then."""
        world = self.trainer.world_size if self._trainer is not None else 1
        apply_freeze(self.groups, self._progress(), keep_graph=world > 1)

    def _progress(self) -> float:
        if self._trainer is None or not self.trainer.training:
            return 0.0
        return self.global_step / max(1, int(self.trainer.estimated_stepping_batches))

    def on_train_batch_start(self, batch: SegmentationBatch, batch_idx: int) -> None:
        """Unfreezes what is due; seeds dropout from (seed, how many batches all ranks saw before this one)."""
        self._freeze()
        trainer = self.trainer
        before = (trainer.current_epoch * int(trainer.num_training_batches) + batch_idx) * trainer.world_size
        torch.manual_seed(derive_seed(self.seed, before + trainer.global_rank, 3))

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """What is not yet due keeps its weights, whatever gradient it was given."""
        for group in self.groups:
            if not group.trains(self._progress()):
                for parameter in group.parameters():
                    parameter.grad = None

    def training_step(self, batch: SegmentationBatch, batch_idx: int) -> Tensor:
        """The objective on one batch of patches."""
        loss = supervise(self.objective, self(batch.image), batch.regions.float())
        self.log("train/loss", loss, on_step=False, on_epoch=True, sync_dist=True, batch_size=len(batch.image))
        return loss
