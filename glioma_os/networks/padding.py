"""Volumes of any size through networks that halve them: padded with background behind, and cut back."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F


def pad_to_multiple(image: Tensor, divisor: int, least: int = 1) -> Tensor:
    """(B, C, D, H, W) → D, H, W as multiples of `divisor`, zeros behind; D at least `least` of them.

    Instance normalization cannot normalize a single voxel: networks that have it at their deepest level need `least` 2.
    """
    d, h, w = (-size % divisor for size in image.shape[2:])
    d = max(d, least * divisor - image.shape[2])
    return F.pad(image, (0, w, 0, h, 0, d))


def crop_maps(maps: Sequence[Tensor], sizes: Sequence[int]) -> list[Tensor]:
    """The part of a volume of `sizes` (D, H, W) in maps that halve their sides from level to level, rounded up."""
    out = []
    for level, x in enumerate(maps):
        d, h, w = (-(-size // 2**level) for size in sizes)
        out.append(x[:, :, :d, :h, :w])
    return out
