"""A brain box through a SegResNet as if it lay in a larger volume of background, of which next to nothing is computed.

A network trained on whole volumes takes GroupNorm's statistics over background that a brain box lacks. Convolutions are
linear, so an activation is split into three parts that go from layer to layer apart:
- `shifted` = activation of the box − background's: 0 outside, so that the zero padding of a convolution is background;
- `background`, one number a channel: through a convolution b ↦ Σ W b, through ReLU(GroupNorm) b ↦ max(0, s b + t);
- `shell`, the empty volume's activation near its faces (face_shell.py), for GroupNorm's statistics.
Over a volume of V voxels with a box of v, and x = shifted + b inside it, the sums split into those of the empty volume
and what the box has in place of background: E[x] = E_empty[x] + (v/V) mean(shifted), E[x²] = E_empty[x²] + (v/V) (mean
(shifted²) + 2 b mean(shifted)). With y = s x + t: ReLU(y) − ReLU(s b + t) = max(s · shifted + (s b + t) − b', −b')
where b' = max(0, s b + t), which is one scale and shift and one clamp.

Precision: statistics in float64, activations in the network's type, so a box in its volume differs from the whole
padded volume by rounding where brain, box and faces are further apart than the network reaches. Otherwise: faces and
brain do not feel each other, what the brain leaves outside its box is not followed (it moves Dice with the whole volume
by .0002, four real cases), and shells are cut as face_shell.py says. Plain twin: `forward_padded_volume`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from monai.networks.nets import SegResNet
from torch import Tensor, nn
from torch.nn import functional as F

from glioma_os.fast import is_plain
from glioma_os.networks.fast.face_shell import (
    LevelPlan,
    empty_volume_moments,
    measure_shells,
    plan_levels,
    resize_shell,
)  # fmt: skip
from glioma_os.networks.fast.group_norm import channel_moments, concatenate_batch, group_statistics, scale_shift
from glioma_os.networks.fast.upsampling import upsample2x


class _State(NamedTuple):
    """(B, C, d, h, w); (B, C) float64, which autocast leaves alone; (B, C, d', h', w')."""

    shifted: Tensor
    background: Tensor
    shell: Tensor


def forward_in_volume(
    network: SegResNet, image: Tensor, volume: Sequence[int], decode: bool
) -> tuple[Sequence[Tensor], Tensor | None]:
    """Encoder maps of the box and, if `decode`, logits, with the statistics of a volume of `volume` (D, H, W) voxels.

    `image` (B, C, d, h, w) of any size, 0 outside the brain; a level's map has half the last one's voxels a side,
    rounded up. A box larger than the volume counts as a volume of its own size.
    """
    if is_plain():
        return forward_padded_volume(network, image, volume, decode)
    encoder_sides, decoder_sides = measure_shells(network.blocks_down, network.blocks_up)
    sizes = _volume_sizes(network, image, volume)
    plan = plan_levels(sizes, encoder_sides, image.device)
    shifted = network.convInit(image)  # without a bias, so that of an empty volume is 0
    background = image.new_zeros((len(image), network.init_filters)).double()
    state, levels = _State(shifted, background, shifted.new_zeros((*shifted.shape[:2], *plan[0].sides))), []
    for level, (first, *blocks) in enumerate(network.down_layers):
        if level:
            state = _convolve(first, state)
            state = state._replace(shell=resize_shell(state.shell, plan[level].sides))
        for block in blocks:
            state = _apply_block(block, state, plan[level])
        levels.append(state)
    maps = _Maps(levels)
    return maps, _decode(network, levels, plan_levels(sizes, decoder_sides, image.device)) if decode else None


def forward_padded_volume(
    network: SegResNet, image: Tensor, volume: Sequence[int], decode: bool
) -> tuple[Sequence[Tensor], Tensor | None]:
    """The plain twin: the box in the middle of a whole volume of zeros, every voxel of which is computed."""
    before = []
    divisor = 2 ** (len(network.down_layers) - 1)
    for size, whole in zip(image.shape[2:], _volume_sizes(network, image, volume), strict=True):
        start = (whole - size) // 2 // divisor * divisor  # the box keeps its grid at every level
        before.append((start, whole - size - start))
    (d0, d1), (h0, h1), (w0, w1) = before
    _, maps = network.encode(F.pad(image, (w0, w1, h0, h1, d0, d1)))
    logits = network.decode(maps[-1], maps[::-1]) if decode else None
    inside = [_cut(x, image.shape[2:], (d0, h0, w0), level) for level, x in enumerate(maps)]
    return inside, None if logits is None else _cut(logits, image.shape[2:], (d0, h0, w0), 0)


def _cut(x: Tensor, sizes: Sequence[int], start: Sequence[int], level: int) -> Tensor:
    """The box's part of a level's map of the whole volume."""
    for axis, (size, first) in enumerate(zip(sizes, start, strict=True), 2):
        x = x.narrow(axis, first >> level, -(-size // 2**level))
    return x


def _volume_sizes(network: SegResNet, image: Tensor, volume: Sequence[int]) -> list[int]:
    """(D, H, W) of the volume: multiples of what the network halves, and no smaller than the box."""
    divisor = 2 ** (len(network.down_layers) - 1)
    return [-(-max(pair) // divisor) * divisor for pair in zip(image.shape[2:], volume, strict=True)]


class _Maps(Sequence[Tensor]):
    """The encoder's maps of the box, made when one is looked at: most predictions need the deepest or none."""

    def __init__(self, levels: list[_State]) -> None:
        self._levels = levels

    def __len__(self) -> int:
        return len(self._levels)

    def __getitem__(self, level: Any) -> Any:
        return _add_background(self._levels[level].shifted, self._levels[level].background)


def _decode(network: SegResNet, levels: list[_State], plan: list[LevelPlan]) -> Tensor:
    state = levels[-1]
    for place, ((narrow, _), blocks) in enumerate(zip(network.up_samples, network.up_layers, strict=True)):
        level = len(levels) - 2 - place
        deep, skip, sides = _convolve(narrow, state), levels[level], plan[level].sides
        state = _State(
            upsample2x(deep.shifted, skip.shifted.shape[2:]).add_(skip.shifted),
            deep.background + skip.background,
            upsample2x(resize_shell(deep.shell, [side // 2 for side in sides]), sides).add_(
                resize_shell(skip.shell, sides)
            ),
        )
        for block in blocks:
            state = _apply_block(block, state, plan[level])
    norm, _, last = network.conv_final
    state = _normalize(norm, state, plan[0])
    far = _convolve_background(last, state.background)  # as a bias: the kernel is 1 voxel
    shifted = state.shifted.split(1)
    return concatenate_batch([
        F.conv3d(sample, last.conv.weight, (last.conv.bias + shift).to(last.conv.weight.dtype))
        for sample, shift in zip(shifted, far, strict=True)
    ])  # fmt: skip


def _apply_block(block: Any, state: _State, level: LevelPlan) -> _State:
    inner = _convolve(block.conv1, _normalize(block.norm1, state, level))
    shifted, background, shell = _convolve(block.conv2, _normalize(block.norm2, inner, level))
    return _State(shifted.add_(state.shifted), background + state.background, shell.add_(state.shell))


def _convolve(layer: Any, state: _State) -> _State:
    """Layers without a bias, as all of SegResNet's are but the last."""
    return _State(layer(state.shifted), _convolve_background(layer, state.background), layer(state.shell))


def _convolve_background(layer: Any, background: Tensor) -> Tensor:
    return background @ layer.conv.weight.double().sum((2, 3, 4)).T


def _add_background(x: Tensor, background: Tensor) -> Tensor:
    """x + background, without torch's slow sum of a tensor and a number a channel."""
    ones = torch.ones_like(background[0])
    return concatenate_batch([scale_shift(s, ones, level) for s, level in zip(x.split(1), background, strict=True)])


def _normalize(norm: nn.GroupNorm, state: _State, level: LevelPlan) -> _State:
    """ReLU(GroupNorm(activation)) with the statistics of the whole volume, one sample after the other."""
    samples = zip(*(part.split(1) for part in state), strict=True)
    parts = [_normalize_sample(norm, _State(*sample), level) for sample in samples]
    return _State(*(concatenate_batch(list(part)) for part in zip(*parts, strict=True)))


def _normalize_sample(norm: nn.GroupNorm, state: _State, level: LevelPlan) -> _State:
    """Means over the volume: of the empty volume, and what the box has in place of background."""
    share = state.shifted[0, 0].numel() / level.voxels
    background = state.background[0]
    mean, square = channel_moments(state.shifted)
    empty_mean, empty_square = empty_volume_moments(state.shell, level)
    mu, inverse_std = group_statistics(
        norm, share * mean + empty_mean, share * (square + 2 * background * mean) + empty_square
    )
    scale = norm.weight * inverse_std
    shift = norm.bias - mu * scale
    after = (background * scale + shift).clamp(min=0)
    shifted = scale_shift(state.shifted, scale, background * scale + shift - after)
    shell = scale_shift(state.shell, scale, shift).clamp_(min=0)
    floor = -after.to(shifted.dtype)[None, :, None, None, None]
    return _State(shifted.clamp_(min=floor), after[None], shell)
