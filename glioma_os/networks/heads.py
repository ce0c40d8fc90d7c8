"""Small networks on latents, many at once: one member axis instead of one process each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import repeat

import torch
from torch import Tensor, nn


def _drawn(seed: int, width: int, padded: int, out: int) -> Tensor:
    """(out, padded) weights whose first `width` columns are drawn from the member's own generator."""
    weight = torch.zeros(out, padded, dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    weight[:, :width] = torch.randn(width, out, generator=generator, dtype=torch.float64).T / math.sqrt(max(width, 1))
    return weight


def _mixed(state: Tensor) -> Tensor:
    """splitmix64 (Steele, Lea and Flood 2014) of int64 read as unsigned: 64 bits, each hanging on all of `state`."""

    def shifted(bits: Tensor, by: int) -> Tensor:
        return (bits >> by).bitwise_and_((1 << 64 - by) - 1)  # torch's shift brings the sign in

    for by, factor in ((30, -0x40A7B892E31B1A47), (27, -0x6B2FB644ECCEEE15)):
        state = shifted(state, by).bitwise_xor_(state).mul_(factor)
    return shifted(state, 31).bitwise_xor_(state)


def _kept(seeds: Tensor, steps: range, units: int, rows: int, dropout: float) -> Tensor:
    """(steps, M, units, rows) int8, 0 with a chance of `dropout`, to 1/256, else 1.

    A hash of seed, step, unit and a group of eight rows, 8 bits for each row: a member's draws are the same whatever
    other members or padding stand beside it.
    """
    step, unit, group = (torch.arange(n, device=seeds.device) for n in (len(steps), units, -(-rows // 8)))
    of_step = (steps.start + step)[:, None, None, None] * 0x1B873593
    of_member = seeds[:, None, None] * 0x9E3779B97F4A7C1
    draws = _mixed(of_step + of_member + unit[:, None] * 0x5851F42D + group * 0x2545F4914F6CDD1).view(torch.int8)
    least = round(dropout * 256) - 128  # a draw that is kept
    return draws.clamp_(least - 1, least).sub_(least - 1)[..., :rows]  # half of what a comparison costs


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
        self.first_bias = nn.Parameter(torch.zeros(len(seeds), hidden, 1, dtype=dtype))
        self.last_bias = nn.Parameter(torch.zeros(len(seeds), out, 1, dtype=dtype))
        self.register_buffer("seeds", torch.tensor(list(seeds), dtype=torch.int64))
        self.dropout = round(dropout * 256) / 256  # as fine as masks are

    def forward(self, inputs: Tensor, kept: Tensor | None = None) -> Tensor:
        """`kept` (M, hidden, N) of `masks`; without it nothing is dropped.

        Inside, rows lie last: on long rows of short matrices every operation is up to three times faster.
        """
        hidden = nn.functional.silu(torch.baddbmm(self.first_bias, self.first_weight, inputs.mT))
        if kept is None:
            return torch.baddbmm(self.last_bias, self.last_weight, hidden).mT
        hidden = hidden.mul_(kept.to(hidden.dtype))  # an int8 factor would be converted both ways
        return torch.baddbmm(self.last_bias, self.last_weight, hidden, alpha=1 / (1 - self.dropout)).mT

    def masks(self, steps: int, rows: int, at_once: int = 8) -> Iterator[Tensor | None]:
        """What `forward` keeps at each step; none without dropout. Drawn for some steps `at_once`."""
        if not self.dropout:
            yield from repeat(None, steps)
            return
        seeds, hidden = self.get_buffer("seeds"), self.first_weight.shape[1]
        for start in range(0, steps, at_once):
            yield from _kept(seeds, range(start, min(start + at_once, steps)), hidden, rows, self.dropout)

    def decay(self, rates: Tensor) -> None:
        """Adds the gradient of rate/2 × the sum of squared weights to each member's, `rates` (M,); biases are free."""
        for weight in (self.first_weight, self.last_weight):
            if weight.grad is not None:
                weight.grad.addcmul_(rates[:, None, None], weight.detach())
