"""Windows of stored voxels as z-scores and regions, mirrored and scaled while they are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from glioma_os.fast import is_plain
from glioma_os.records import Array

Slices = tuple[Any, ...]  # one slice an axis
_SLAB = 32  # planes at a time: what one pass wrote is still in the cache for the next, and calls stay few


@dataclass(frozen=True)
class WindowView:
    """How a window is shown: mirrored axes, and gain · z + offset."""

    flips: tuple[bool, bool, bool] = (False, False, False)
    gain: float = 1.0
    offset: float = 0.0

    @property
    def steps(self) -> tuple[slice, slice, slice]:
        """The mirroring as slices of (D, H, W)."""
        d, h, w = (slice(None, None, -1 if flip else 1) for flip in self.flips)
        return d, h, w


IDENTITY_VIEW = WindowView()


def z_scores(
    voxels: Array,
    channels: list[int],
    mean: Array,
    inverse_sd: Array,
    corner: tuple[int, ...],
    view: WindowView,
    out: Array,
) -> None:
    """Into `out` (len(channels), d, h, w) float32: gain · (voxel − mean) · inverse_sd + offset of stored (C, D, H, W).

    Background, which is a voxel of 0 and all that lies outside the box, becomes the offset. Needs gain > 0.
    """
    size = out.shape[1:]
    inside, target = _overlap(corner, size, voxels.shape[1:], view)
    if _juts_out(target, size):
        out[...] = view.offset
    if is_plain():
        for canvas, channel in zip(out[(slice(None), *target)], channels, strict=True):
            raw = voxels[(channel, *inside)][view.steps].astype(np.float32)
            z = (raw - float(mean[channel])) * float(inverse_sd[channel])
            canvas[...] = np.where(raw == 0, view.offset, view.gain * z + view.offset)
        return
    for canvas, channel in zip(out[(slice(None), *target)], channels, strict=True):
        raw = voxels[(channel, *inside)][view.steps]
        factor = view.gain * float(inverse_sd[channel])
        for start in range(0, len(raw), _SLAB):
            shown = canvas[start : start + _SLAB]
            np.copyto(shown, _mirror(raw[start : start + _SLAB], view))
            _scale(shown, factor, view.offset - factor * float(mean[channel]), view.offset)


def _scale(x: Array, factor: float, shift: float, offset: float) -> None:
    """In place factor · x + shift where x is 1 or more, offset where it is 0; numpy needs half as long again."""
    import torch  # not at the top: preparing cases needs no torch

    values = torch.from_numpy(x)
    torch.add(torch.tensor(shift), values, alpha=factor, out=values)
    torch.threshold_(values, shift + factor / 2, offset)


def _mirror(part: Array, view: WindowView) -> Array:
    """`part`, read against the grain of memory if it is mirrored: torch turns rows 4 times as fast, and their order in
    a plane 1.4 times; planes are read backwards at no cost."""
    if not any(view.flips[1:]):
        return part
    import torch

    axes = [axis for axis, flip in enumerate(view.flips) if flip]
    return torch.from_numpy(part[view.steps]).flip(axes).numpy()


def region_masks(bits: Array, corner: tuple[int, ...], view: WindowView, out: Array) -> None:
    """Into `out` (3, d, h, w) uint8: stored bits (D, H, W), one a region; 0 outside the box."""
    size = out.shape[1:]
    inside, target = _overlap(corner, size, bits.shape, view)
    if _juts_out(target, size):
        out[...] = 0
    first, second, third = out[(slice(None), *target)]
    np.copyto(first, _mirror(bits[inside][view.steps], view))
    np.right_shift(first, 2, out=third)
    np.right_shift(first, 1, out=second)
    second &= 1
    first &= 1


def _overlap(
    corner: tuple[int, ...], size: tuple[int, ...], shape: tuple[int, ...], view: WindowView
) -> tuple[Slices, Slices]:
    """What window and box share: its place in the box, and in the window as it is shown."""
    inside, target = [], []
    for start, extent, limit, flip in zip(corner, size, shape, view.flips, strict=True):
        low = max(start, 0)
        high = max(min(start + extent, limit), low)
        inside.append(slice(low, high))
        first, stop = low - start, high - start
        target.append(slice(extent - stop, extent - first) if flip else slice(first, stop))
    return tuple(inside), tuple(target)


def _juts_out(target: Slices, size: tuple[int, ...]) -> bool:
    return any(part.stop - part.start < extent for part, extent in zip(target, size, strict=True))
