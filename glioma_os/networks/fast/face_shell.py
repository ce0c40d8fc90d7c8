"""An empty volume without its middle: what its faces do to activations, from as few voxels as they are felt in.

In a volume of background every activation is one number a channel, but near the volume's faces, where the zero padding
of convolutions is not the background. Seen along an axis, the planes are low face | equal planes | high face. The shell
keeps both faces and one of the equal planes, which in statistics stands for all those left out.

How deep a face is felt, in voxels of the level, follows from the architecture (index o of output, r planes touched):
- a 3³ convolution reads one voxel further, so r → r + 1 at both faces;
- a 3³ convolution of stride 2 and padding 1 reads 2o − 1 … 2o + 1 of an even size: low r → ⌊r/2⌋ + 1, high r →
  ⌊(r + 1)/2⌋, which needs no padding of its own there;
- the first convolution has no bias and sees zeros, so it yields zeros: r = 0.
The plane at `side // 2` is the one repeated, so a shell of 2 · max(low, high + 1) planes is exact for its own level,
and twice that of the next level's entry is what a strided convolution can halve. (Above the deepest level the first
alone is asked for: what enters there is cut by a voxel, which is in the errors below.)

Exact shells of the deepest level and of the decoder would be as large as the volume: reach doubles with each
upsampling. There the *effective* reach is used where it is smaller: influence of n convolutions spreads like a sum of n
steps from {−1, 0, 1}, of standard deviation √(2n/3) (Luo et al. 2016), and _DEVIATIONS of them hold 97 % of it.
- The deepest level holds exactly what enters it, and _DEVIATIONS standard deviations of its own convolutions a side.
- A decoder level holds its skip connection and its own convolutions exactly, and what rises from the deepest level as
  deep as that level's shell has it, less one voxel; all of it exactly where _CHEAP voxels a side hold that.
For the Model-Zoo layout (blocks_down 1, 2, 2, 4; blocks_up 1, 1, 1) these rules give encoder sides 8, 16, 16, 10 and
decoder sides 64, 32, 20. With random norms, latents and logits of nine layouts are at most .004 and .006 off those of
whole empty volumes (tests; sides fixed at 8, 16, 16, 10: up to .039 and .034). Plain twin:
`normalization_volume.forward_padded_volume`, which computes every voxel.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, prod, sqrt
from typing import NamedTuple

import torch
from torch import Tensor

from glioma_os.networks.fast.group_norm import channel_moments

_DEVIATIONS, _LEAST = 2.15, 10  # a side; a shell has as many voxels at least
_CHEAP_DEEPEST = 16  # voxels a side that the deepest shell may have for being exact
_CHEAP = 64  # voxels a side at full resolution that a decoder's shell may have for being exact
_ROUNDING = (8, 16)  # sides of the first level, and of others above the deepest: even at every stride, long vectors


class LevelPlan(NamedTuple):
    """Voxels of the whole volume; sides of the shell; where, flat, its voxels stand for more, and for how many more."""

    voxels: int
    sides: list[int]
    places: Tensor
    more: Tensor


def measure_shells(blocks_down: Sequence[int], blocks_up: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Voxels a side of the empty volume that statistics need: of each encoder level, and of each decoder level, both
    shallow to deep. Blocks are residual blocks of two 3³ convolutions."""
    reaches, entering = [], []  # (low, high) of each level after and before its own convolutions
    low = high = 0
    for level, blocks in enumerate(blocks_down):
        if level:
            low, high = low // 2 + 1, (high + 1) // 2
        entering.append((low, high))
        low, high = low + 2 * blocks, high + 2 * blocks
        reaches.append((low, high))
    encoder = [_hold(*reach) for reach in reaches]
    for level in range(len(encoder) - 1):
        if level < len(encoder) - 2:
            encoder[level] = max(encoder[level], 2 * _hold(*entering[level + 1]))
        encoder[level] = _round_up(encoder[level], _ROUNDING[level > 0])
    own = _round_up(ceil(2 * _DEVIATIONS * sqrt(2 * 2 * blocks_down[-1] / 3)), 2)
    encoder[-1] = min(_hold(low, high), max(_hold(*entering[-1]), own, _LEAST))
    if _hold(low, high) <= _CHEAP_DEEPEST:
        encoder[-1] = _hold(low, high)
    risen, decoder = encoder[-1] - 2, []
    for level, blocks in zip(reversed(range(len(blocks_up))), blocks_up, strict=True):
        risen, (skip_low, skip_high) = 2 * risen, reaches[level]
        low = max(2 * low + 1, skip_low) + 2 * blocks  # interpolation reads one neighbour
        high = max(2 * high + 1, skip_high) + 2 * blocks
        exact, skip = _hold(low, high), _hold(skip_low + 2 * blocks, skip_high + 2 * blocks)
        decoder.append(exact if exact <= _CHEAP >> level else min(exact, max(skip, risen)))
    return tuple(encoder), tuple(reversed(decoder)) or tuple(encoder)


def _hold(low: int, high: int) -> int:
    """The smallest even side whose plane `side // 2` no face is felt in."""
    return 2 * max(low, high + 1)


def _round_up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple


def plan_levels(sizes: Sequence[int], sides: Sequence[int], device: torch.device) -> list[LevelPlan]:
    """A plan a level for a volume of `sizes` (D, H, W) voxels, halved from level to level; `sides` as measured."""
    return [plan_level([size >> level for size in sizes], side, device) for level, side in enumerate(sides)]


def plan_level(sizes: Sequence[int], most: int, device: torch.device) -> LevelPlan:
    """The middle plane of each axis of the shell stands for all that was left out."""
    sides, axes = [min(size, most) for size in sizes], []
    for size, side in zip(sizes, sides, strict=True):
        axis = torch.ones(side, device=device)
        axis[side // 2] += size - side
        axes.append(axis)
    d, h, w = axes
    more = (d[:, None, None] * h[:, None] * w).flatten() - 1
    places = more.nonzero().flatten()
    return LevelPlan(prod(sizes), sides, places, more[places].double())


def resize_shell(shell: Tensor, sides: Sequence[int]) -> Tensor:
    """A shell of other sides: planes are left out in the middle of an axis, or its middle plane is repeated."""
    for axis, side in enumerate(sides, 2):
        own, near = shell.shape[axis], min(shell.shape[axis], side) // 2
        if own != side:
            middle = [shell.narrow(axis, near, 1)] * (side - own)
            far = min(own, side) - near
            shell = torch.cat([shell.narrow(axis, 0, near), *middle, shell.narrow(axis, own - far, far)], axis)
    return shell


def empty_volume_moments(shell: Tensor, level: LevelPlan) -> Tensor:
    """Mean and mean square (2, C) float64 of each channel of the empty volume; of one sample (1, C, d, h, w)."""
    voxels = shell[0].permute(1, 2, 3, 0).reshape(-1, shell.shape[1])
    repeated = voxels[level.places].double()
    more = torch.stack([level.more @ repeated, level.more @ repeated.square()])
    return (torch.stack(channel_moments(shell)) * len(voxels) + more) / level.voxels
