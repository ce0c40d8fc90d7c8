"""Small networks on latents, many at once: one member axis instead of one process each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


def _drawn(seed: int, width: int, padded: int, out: int) -> Tensor:
    """(padded, out) weights whose first `width` rows are drawn from the member's own generator."""
    weight = torch.zeros(padded, out, dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    weight[:width] = torch.randn(width, out, generator=generator, dtype=torch.float64) / math.sqrt(max(width, 1))
    return weight


def _mixed(state: Tensor) -> Tensor:
    """splitmix64 (Steele, Lea and Flood 2014) of int64 read as unsigned: 64 bits, each hanging on all of `state`."""

    def shifted(bits: Tensor, by: int) -> Tensor:
        return (bits >> by).bitwise_and_((1 << 64 - by) - 1)  # torch's shift brings the sign in

    for by, factor in ((30, -0x40A7B892E31B1A47), (27, -0x6B2FB644ECCEEE15)):
        state = shifted(state, by).bitwise_xor_(state).mul_(factor)
    return shifted(state, 31).bitwise_xor_(state)


def _kept(seeds: Tensor, step: int, units: int, rows: int, dropout: float, dtype: torch.dtype) -> Tensor:
    """(M, units, rows), 0 with a chance of `dropout`, to 1/65536, else 1.

    A hash of seed, step, unit and a group of four rows, 16 bits for each row: a member's draws are the same whatever
    other members or padding stand beside it.
    """
    group = torch.arange(-(-rows // 4), device=seeds.device)
    unit = torch.arange(units, device=seeds.device)[:, None]
    places = step * 0x1B873593 + group * 0x2545F4914F6CDD1 + unit * 0x5851F42D
    draws = _mixed(seeds[:, None, None] * 0x9E3779B97F4A7C1 + places).view(torch.int16)
    least = round(dropout * (1 << 16)) - (1 << 15)  # a draw that is kept; all are whole numbers
    return draws[..., :rows].to(dtype).sub_(least - 1).clamp_(0, 1)  # a third of what a comparison costs


class _KeptSiLU(torch.autograd.Function):
    """silu(x) where kept, 0 elsewhere. With g = sigmoid(x) there and 0 elsewhere, y = x g and dy/dx = y + g (1 − y)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kept: Tensor) -> Tensor:
        gate = torch.sigmoid(x).mul_(kept)
        y = x * gate
        ctx.save_for_backward(y, gate)
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        y, gate = ctx.saved_tensors
        return torch.lerp(y, y.new_ones(()), gate).mul_(gradients[0]), None


class BatchedMLP(nn.Module):
    """M networks of one hidden layer: (M, N, in) → (M, N, out), in `dtype`.

    Member m reads its first `widths[m]` inputs; columns beyond them must be 0. Nothing passes between members.
    """

    def __init__(
        self, seeds: Sequence[int], widths: Sequence[int], hidden: int, out: int, dropout: float = 0.0,
        dtype: torch.dtype = torch.float64,
    ) -> None:  # fmt: skip
        super().__init__()
        first = [_drawn(2 * seed, width, max(widths), hidden) for seed, width in zip(seeds, widths, strict=True)]
        last = [_drawn(2 * seed + 1, hidden, hidden, out) for seed in seeds]
        self.first_weight, self.last_weight = (nn.Parameter(torch.stack(drawn).to(dtype)) for drawn in (first, last))
        self.first_bias = nn.Parameter(torch.zeros(len(seeds), 1, hidden, dtype=dtype))
        self.last_bias = nn.Parameter(torch.zeros(len(seeds), 1, out, dtype=dtype))
        self.register_buffer("seeds", torch.tensor(list(seeds), dtype=torch.int64))
        self.dropout = dropout

    def forward(self, inputs: Tensor, step: int = 0) -> Tensor:
        """`step` numbers the dropout mask; in eval mode nothing is dropped.

        Inside, rows lie last: on long rows of short matrices every operation is up to three times faster.
        """
        hidden = torch.baddbmm(self.first_bias.mT, self.first_weight.mT, inputs.mT)
        last = self.last_weight.mT
        if self.training and self.dropout:
            _, units, rows = hidden.shape
            kept = _kept(self.get_buffer("seeds"), step, units, rows, self.dropout, hidden.dtype)
            hidden = _KeptSiLU.apply(hidden, kept)
            last = last / (1 - self.dropout)
        else:
            hidden = nn.functional.silu(hidden)
        return torch.baddbmm(self.last_bias.mT, last, hidden).mT

    def penalty(self) -> Tensor:
        """Sum of squared weights of each member, (M,); biases are free."""
        return self.first_weight.square().sum((1, 2)) + self.last_weight.square().sum((1, 2))
