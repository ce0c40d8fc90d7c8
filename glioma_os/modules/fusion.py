"""The LightningModule of the fusion heads: every member of a batched fit in one step, block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from lightning.pytorch import LightningModule
from torch import Tensor

from glioma_os.networks.heads import BatchedMLP
from glioma_os.records import FusionBatch

Objective = Callable[[FusionBatch], Callable[[Tensor], Tensor]]


def cross_entropy(batch: FusionBatch) -> Callable[[Tensor], Tensor]:
    """Outputs (M, N, C) to the mean loss of each member's weighted rows, summed over members. `target` (M, N, C): each
    row's class is a 1 among 0s."""
    share = batch.weight / batch.weight.sum(dim=1, keepdim=True).clamp(min=1)
    chosen = (share[..., None] * batch.target).mT.contiguous()
    return lambda output: torch.nn.functional.cross_entropy(output.mT, chosen, reduction="sum")


def cox(batch: FusionBatch) -> Callable[[Tensor], Tensor]:
    """Outputs (M, N, 1) to the negative Cox partial log-likelihood per death, summed over members, ties by Breslow, in
    log-space.

    `target[..., 0]` days, `target[..., 1]` event. Rows of a member stand in falling time, its padding last.
    """
    falling = (-batch.target[..., 0]).contiguous()
    last_tied = torch.searchsorted(falling, falling, right=True) - 1
    death = batch.target[..., 1] * batch.weight
    share = death / death.sum(dim=1, keepdim=True).clamp(min=1)

    def loss(output: Tensor) -> Tensor:
        log_hazard = output[..., 0]
        log_risk_set = log_hazard.logcumsumexp(dim=1).gather(1, last_tied)
        return (share * (log_risk_set - log_hazard)).sum()

    return loss


class FusionModule(LightningModule):
    """Full-batch Adam on blocks of members for `steps` steps; no member feels another.

    `weight_decay` (M,), over all blocks, multiplies half the squared weights of its member. `each` maps a function over
    blocks, as `map` does: a thread pool's fits several at a time, none waiting for another.
    """

    def __init__(
        self, networks: Sequence[BatchedMLP], objective: Objective, weight_decay: Tensor, steps: int,
        learning_rate: float = 0.02, each: Callable[..., Iterable[Tensor]] = map,
    ) -> None:  # fmt: skip
        super().__init__()
        self.networks = torch.nn.ModuleList(networks)
        self.objective, self.steps, self.learning_rate, self.each = objective, steps, learning_rate, each
        self.register_buffer("weight_decay", weight_decay)
        self.automatic_optimization = False  # one optimizer a block

    def training_step(self, batch: list[FusionBatch], batch_idx: int) -> Tensor:
        """The whole fit of every member, and the sum of their last losses; `batch` has one FusionBatch a block."""
        found = self.optimizers(use_pl_optimizer=False)
        optimizers = found if isinstance(found, list) else [found]  # Lightning takes one out of its list
        decays = self.get_buffer("weight_decay").split([len(network.get_buffer("seeds")) for network in self.networks])
        return torch.stack(list(self.each(self.descend, self.networks, optimizers, batch, decays))).sum()

    def descend(
        self, network: BatchedMLP, optimizer: torch.optim.Optimizer, batch: FusionBatch, decay: Tensor
    ) -> Tensor:
        """All steps of one block; the sum of its members' last losses."""
        loss, objective = decay.new_zeros(()), self.objective(batch)
        for kept in network.masks(self.steps, batch.features.shape[1]):
            optimizer.zero_grad()
            loss = objective(network(batch.features, kept))
            loss.backward()
            network.decay(decay)
            optimizer.step()
        return loss.detach()

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Adam is elementwise: batching members leaves each one's path as it is."""
        return [
            torch.optim.Adam(network.parameters(), lr=self.learning_rate, fused=True)  # one pass, not a dozen
            for network in self.networks
        ]
