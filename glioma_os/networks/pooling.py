"""Encoder maps → one float32 latent vector a case, by the maps and the predicted whole tumour.

Only what a pooling looks at is made float32.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from glioma_os.errors import ConfigError

SPACE = (2, 3, 4)
Pooling = Callable[[Sequence[Tensor], Tensor | None], Tensor]


def _mean(levels: Sequence[Tensor], tumour: Tensor | None) -> Tensor:
    """Bottleneck mean (B, C)."""
    return levels[-1].float().mean(SPACE)


def _mean_max_std(levels: Sequence[Tensor], tumour: Tensor | None) -> Tensor:
    """Bottleneck mean, maximum and sd (B, 3C)."""
    deep = levels[-1].float()
    return torch.cat([deep.mean(SPACE), deep.amax(SPACE), deep.std(SPACE)], 1)


def _pyramid(levels: Sequence[Tensor], tumour: Tensor | None) -> Tensor:
    """Mean of every level (B, ΣC): 16 + 32 + 64 + 128 = 240 at 16 filters."""
    return torch.cat([level.float().mean(SPACE) for level in levels], 1)


def _on_grid(tumour: Tensor, level: int) -> Tensor:
    """The probability (B, 1, D, H, W) averaged to a level's grid, never 0 everywhere."""
    return F.avg_pool3d(tumour, 2**level, ceil_mode=True) + 1e-6


def _tumour(levels: Sequence[Tensor], tumour: Tensor | None) -> Tensor:
    """Bottleneck mean weighted by the predicted whole-tumour probability (B, 1, D, H, W), and log(1 + its voxels).

    (B, C + 1). A case without tumour gives the plain mean's limit: weights fall back to uniform.
    """
    if tumour is None:
        raise ValueError("tumour pooling needs the predicted whole-tumour probability")
    deep = levels[-1].float()
    weight = _on_grid(tumour, len(levels) - 1)
    weighted = (deep * weight).sum(SPACE) / weight.sum(SPACE)
    return torch.cat([weighted, torch.log1p(tumour.sum(SPACE))], 1)


def _tumour_pyramid(levels: Sequence[Tensor], tumour: Tensor | None) -> Tensor:
    """Every level's mean weighted by the predicted tumour, and log(1 + its voxels): (B, ΣC + 1)."""
    if tumour is None:
        raise ValueError("tumour pooling needs the predicted whole-tumour probability")
    parts = []
    for place, level in enumerate(levels):
        weight = _on_grid(tumour, place)
        parts.append((level.float() * weight).sum(SPACE) / weight.sum(SPACE))
    return torch.cat([*parts, torch.log1p(tumour.sum(SPACE))], 1)


def _flatten(levels: Sequence[Tensor], tumour: Tensor | None) -> Tensor:
    """The bottleneck averaged to 6×6×6 and laid out (B, 216·C): one length for every box size."""
    return F.adaptive_avg_pool3d(levels[-1].float(), 6).flatten(1)


POOLINGS: dict[str, Pooling] = {
    "mean": _mean,
    "mean_max_std": _mean_max_std,
    "pyramid": _pyramid,
    "tumour": _tumour,
    "tumour_pyramid": _tumour_pyramid,
    "flatten": _flatten,
}
NEEDS_TUMOUR = frozenset({"tumour", "tumour_pyramid"})


def pooling(name: str) -> Pooling:
    """The pooling of that name; a ConfigError lists them."""
    if name not in POOLINGS:
        raise ConfigError("features.pooling", f"{name!r} found → one of {sorted(POOLINGS)} expected", "Correct the key")
    return POOLINGS[name]
