"""The LightningModule of the fusion heads: every member of a batched fit in one step."""

from __future__ import annotations

from collections.abc import Callable

import torch
from lightning.pytorch import LightningModule
from torch import Tensor

from glioma_os.networks.heads import BatchedMLP
from glioma_os.records import FusionBatch

Objective = Callable[[Tensor, FusionBatch], Tensor]


def cross_entropy(output: Tensor, batch: FusionBatch) -> Tensor:
    """Mean loss of each member's weighted rows, (M,). `target[..., 0]` is the class number."""
    chosen = output.log_softmax(dim=-1).gather(-1, batch.target[..., :1].long()).squeeze(-1)
    return -(batch.weight * chosen).sum(dim=1) / batch.weight.sum(dim=1).clamp(min=1)


def cox(output: Tensor, batch: FusionBatch) -> Tensor:
    """Negative Cox partial log-likelihood per death, (M,), ties by Breslow, in log-space.

    `target[..., 0]` days, `target[..., 1]` event. Rows of a member stand in falling time, its padding last.
    """
    log_hazard, time = output[..., 0], batch.target[..., 0]
    death = batch.target[..., 1] * batch.weight
    falling = (-time).contiguous()
    last_tied = torch.searchsorted(falling, falling, right=True) - 1
    log_risk_set = log_hazard.logcumsumexp(dim=1).gather(1, last_tied)
    return (death * (log_risk_set - log_hazard)).sum(dim=1) / death.sum(dim=1).clamp(min=1)


class FusionModule(LightningModule):
    """Full-batch Adam on the sum of the members' losses, so no member feels another.

    `weight_decay` (M,) multiplies half the squared weights of its member.
    """

    def __init__(
        self, network: BatchedMLP, objective: Objective, weight_decay: Tensor, learning_rate: float = 0.02
    ) -> None:
        super().__init__()
        self.network, self.objective, self.learning_rate = network, objective, learning_rate
        self.register_buffer("weight_decay", weight_decay)

    def training_step(self, batch: FusionBatch, batch_idx: int) -> Tensor:
        """One step of every member."""
        loss = self.objective(self.network(batch.features, step=self.global_step), batch)
        return (loss + self.get_buffer("weight_decay") / 2 * self.network.penalty()).sum()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam is elementwise: batching members leaves each one's path as it is."""
        return torch.optim.Adam(self.parameters(), lr=self.learning_rate)
