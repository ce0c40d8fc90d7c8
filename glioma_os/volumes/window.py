"""Windows of stored voxels as z-scores and regions, mirrored and scaled while they are read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glioma_os.records import Array

_SLAB = 32  # planes at a time: what one pass wrote is still in the cache for the next, and calls stay few


@dataclass(frozen=True)
class Look:
    """How a window is shown: mirrored axes, and gain · z + offset."""

    flips: tuple[bool, bool, bool] = (False, False, False)
    gain: float = 1.0
    offset: float = 0.0

    @property
    def steps(self) -> tuple[slice, slice, slice]:
        """The mirroring as slices of (D, H, W)."""
        d, h, w = (slice(None, None, -1 if flip else 1) for flip in self.flips)
        return d, h, w


PLAIN = Look()


def z_scores(
    voxels: Array, channels: list[int], mean: Array, inverse_sd: Array, corner: tuple[int, ...], size: tuple[int, ...],
    look: Look,
) -> Array:  # fmt: skip
    """(len(channels), *size) float32 of stored int16 (C, D, H, W): gain · (voxel − mean) · inverse_sd + offset.

    Background, which is a voxel of 0 and all that lies outside the box, becomes the offset.
    """
    inside, target = _overlap(corner, size, voxels.shape[1:], look)
    out = np.empty((len(channels), *size), np.float32)
    if _juts_out(target, size):
        out[...] = look.offset
    for canvas, channel in zip(out[(slice(None), *target)], channels, strict=True):
        raw = voxels[(channel, *inside)][look.steps]
        shift, factor = -float(mean[channel]), look.gain * float(inverse_sd[channel])
        for start in range(0, len(raw), _SLAB):
            shown = canvas[start : start + _SLAB]
            np.copyto(shown, raw[start : start + _SLAB])
            _scale(shown, shift, factor, look.offset)
    return out


def _scale(x: Array, shift: float, factor: float, offset: float) -> None:
    """In place factor · (x + shift) + offset where x is not 0, offset elsewhere; numpy needs half as long again."""
    import torch  # not at the top: preparing cases needs no torch

    values = torch.from_numpy(x)
    torch.addcdiv(values, values, values, value=shift, out=values)  # x + shift, but NaN where x is 0
    torch.add(torch.tensor(offset), values.nan_to_num_(0.0), alpha=factor, out=values)


def region_masks(bits: Array, corner: tuple[int, ...], size: tuple[int, ...], look: Look) -> Array:
    """(3, *size) uint8 of stored bits (D, H, W), one a region; 0 outside the box."""
    inside, target = _overlap(corner, size, bits.shape, look)
    out = np.empty((3, *size), np.uint8)
    if _juts_out(target, size):
        out[...] = 0
    shown = np.ascontiguousarray(bits[inside][look.steps])
    for bit, canvas in enumerate(out[(slice(None), *target)]):
        np.right_shift(shown, bit, out=canvas)
        canvas &= 1
    return out


def _overlap(corner: tuple[int, ...], size: tuple[int, ...], shape: tuple[int, ...], look: Look) -> tuple[tuple, tuple]:
    """What window and box share: its place in the box, and in the window as it is shown."""
    inside, target = [], []
    for start, extent, limit, flip in zip(corner, size, shape, look.flips, strict=True):
        low = max(start, 0)
        high = max(min(start + extent, limit), low)
        inside.append(slice(low, high))
        first, stop = low - start, high - start
        target.append(slice(extent - stop, extent - first) if flip else slice(first, stop))
    return tuple(inside), tuple(target)


def _juts_out(target: tuple, size: tuple[int, ...]) -> bool:
    return any(part.stop - part.start < extent for part, extent in zip(target, size, strict=True))
