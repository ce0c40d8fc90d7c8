"""Small networks on latents, many at once: one member axis instead of one process each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import repeat

import torch
from torch import Tensor, nn

from glioma_os.networks.fast.dropout_masks import draw_masks


def _draw_weights(seed: int, width: int, padded: int, out: int) -> Tensor:
    """(out, padded) weights whose first `width` columns are drawn from the member's own generator."""
    weight = torch.zeros(out, padded, dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    weight[:, :width] = torch.randn(width, out, generator=generator, dtype=torch.float64).T / math.sqrt(max(width, 1))
    return weight


class BatchedMLP(nn.Module):
    """M networks of one hidden layer: (M, N, in) → (M, N, out), in `dtype`.

    Member m reads its first `widths[m]` inputs; columns beyond them must be 0. Nothing passes between members.
    """

    def __init__(
        self, seeds: Sequence[int], widths: Sequence[int], hidden: int, out: int, dropout: float = 0.0,
        dtype: torch.dtype = torch.float64,
    ) -> None:  # fmt: skip
        super().__init__()
        first = [_draw_weights(2 * seed, width, max(widths), hidden) for seed, width in zip(seeds, widths, strict=True)]
        last = [_draw_weights(2 * seed + 1, hidden, hidden, out) for seed in seeds]
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

    def masks(self, steps: int, rows: int, n_steps: int = 8) -> Iterator[Tensor | None]:
        """What `forward` keeps at each step; none without dropout. Drawn for `n_steps` steps together."""
        if not self.dropout:
            yield from repeat(None, steps)
            return
        seeds, hidden = self.get_buffer("seeds"), self.first_weight.shape[1]
        for start in range(0, steps, n_steps):
            yield from draw_masks(seeds, range(start, min(start + n_steps, steps)), hidden, rows, self.dropout)

    def decay(self, rates: Tensor) -> None:
        """Adds the gradient of rate/2 × the sum of squared weights to each member's, `rates` (M,); biases are free."""
        for weight in (self.first_weight, self.last_weight):
            if weight.grad is not None:
                weight.grad.addcmul_(rates[:, None, None], weight.detach())
