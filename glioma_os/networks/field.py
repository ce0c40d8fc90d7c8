"""A brain box through the network as if it lay in a larger volume of background, of which nothing is computed.

Outside the box every activation is one number a channel, so it enters GroupNorm's statistics as that number times the
voxels left out. What is carried from layer to layer is `shifted` = activation − that number: 0 outside, so the zero
padding of a convolution is the background.
"""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from monai.networks.nets import SegResNet
from torch import Tensor, nn

from glioma_os.networks.normalization import affine, channel_moments, group_statistics

Shifted = tuple[Tensor, Tensor]  # activation − background (B, C, D, H, W); background (B, C) float32


def through_field(
    network: SegResNet, image: Tensor, field: tuple[int, ...], decode: bool
) -> tuple[list[Tensor], Tensor | None]:
    """Encoder maps of the box and, if `decode`, logits, with the statistics of a volume of `field` (D, H, W) voxels.

    `image` (B, C, d, h, w), 0 outside the brain. Beyond the field nothing is assumed, so its own faces leave no trace.
    """
    missing = max(0, prod(field) - image[0, 0].numel())
    outside = [missing / 8**level for level in range(len(network.down_layers))]
    background = image.new_zeros((len(image), network.init_filters), dtype=torch.float32)
    state, levels = (network.convInit(image), background), []
    for level, (first, *blocks) in enumerate(network.down_layers):
        state = _convolved(first, state) if level else state
        for block in blocks:
            state = _block(block, state, outside[level])
        levels.append(state)
    maps = [shifted + _spread(value, shifted) for shifted, value in levels]
    return maps, _decoded(network, levels, outside) if decode else None


def _decoded(network: SegResNet, levels: list[Shifted], outside: list[float]) -> Tensor:
    state = levels[-1]
    for place, ((narrow, enlarge), blocks) in enumerate(zip(network.up_samples, network.up_layers, strict=True)):
        level = len(levels) - 2 - place
        shifted, background = _convolved(narrow, state)
        state = enlarge(shifted).add_(levels[level][0]), background + levels[level][1]
        for block in blocks:
            state = _block(block, state, outside[level])
    norm, _, last = network.conv_final
    shifted, background = _convolved(last, _normalized(norm, state, outside[0]))
    return shifted + _spread(background, shifted)


def _block(block: Any, state: Shifted, outside: float) -> Shifted:
    inner = _convolved(block.conv1, _normalized(block.norm1, state, outside))
    shifted, background = _convolved(block.conv2, _normalized(block.norm2, inner, outside))
    return shifted.add_(state[0]), background + state[1]


def _convolved(layer: Any, state: Shifted) -> Shifted:
    """A bias is in the first part, and is the same everywhere."""
    return layer(state[0]), state[1] @ layer.conv.weight.float().sum((2, 3, 4)).T


def _spread(value: Tensor, like: Tensor) -> Tensor:
    return value.to(like.dtype)[:, :, None, None, None]


def _normalized(norm: nn.GroupNorm, state: Shifted, outside: float) -> Shifted:
    """ReLU(GroupNorm(activation)) with `outside` further voxels of background, one sample after the other."""
    parts = [_one(norm, state[0][row : row + 1], state[1][row].double(), outside) for row in range(len(state[0]))]
    shifted = parts[0][0] if len(parts) == 1 else torch.cat([part[0] for part in parts])
    return shifted, torch.stack([part[1] for part in parts])


def _one(norm: nn.GroupNorm, shifted: Tensor, background: Tensor, outside: float) -> Shifted:
    inside = shifted[0, 0].numel()
    mean, square = channel_moments(shifted)
    square = square + 2 * background * mean + background**2
    mean = mean + background
    mu, inverse = group_statistics(
        norm,
        (inside * mean + outside * background) / (inside + outside),
        (inside * square + outside * background**2) / (inside + outside),
    )
    slope = norm.weight * inverse
    line = background * slope + norm.bias - mu * slope
    after = line.clamp(min=0)
    out = affine(shifted, slope, line - after)
    return out.clamp_(min=_spread(-after[None], out)), after.float()
