"""Trilinear enlargement by two, one axis after the other: torch's own kernel takes four times as long in bfloat16."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def doubled(x: Tensor, size: Sequence[int]) -> Tensor:
    """(B, C, d, h, w) → the first `size` voxels of its (B, C, 2d, 2h, 2w), channels-last; not for gradients.

    The values of torch.nn.functional.interpolate(x, scale_factor=2, mode="trilinear"), rounded after every axis.
    """
    voxels = x.permute(0, 2, 3, 4, 1)
    for axis in (3, 2, 1):
        voxels = _doubled(voxels, axis).narrow(axis, 0, size[axis - 1])
    return voxels.permute(0, 4, 1, 2, 3)


def _doubled(x: Tensor, axis: int) -> Tensor:
    """A new voxel lies a quarter of the way from its old one to the next on its side; at the faces there is none."""
    size = x.shape[axis]
    out = x.new_empty((*x.shape[: axis + 1], 2, *x.shape[axis + 1 :]))
    low, high = out.unbind(axis + 1)
    first, last = x.narrow(axis, 0, size - 1), x.narrow(axis, 1, size - 1)
    torch.lerp(last, first, 0.25, out=low.narrow(axis, 1, size - 1))
    torch.lerp(first, last, 0.25, out=high.narrow(axis, 0, size - 1))
    low.select(axis, 0).copy_(x.select(axis, 0))
    high.select(axis, -1).copy_(x.select(axis, -1))
    return out.flatten(axis, axis + 1)
