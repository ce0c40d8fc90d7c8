"""Which voxels of an image are brain: the background is one constant value, 0 or another."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from glioma_os.errors import DataError
from glioma_os.records import Array

# Share of the voxels on the six outer faces that background holds at least. A brain that fills its box touches the
# faces in few voxels; a slab cut through the brain fills two of six.
LEAST_SHARE = 0.5
LARGEST_BRAIN_LITRES = 2.5  # an adult's brain with its fluid is 1.1 to 1.9 l; a head with its neck 4 to 9 l
STRIP = "Skull-strip the images of the case first (HD-BET or SynthStrip, say), or give the stripped files"


def background_value(image: Array, where: Path | str) -> np.generic:
    """The value that most voxels on the outer faces of `image` (D, H, W) hold.

    A DataError where less than half of them agree: such an image is not skull-stripped.
    """
    sides = (image[0], image[-1], image[:, 0], image[:, -1], image[:, :, 0], image[:, :, -1])
    faces = np.concatenate([side.ravel() for side in sides])
    values, counts = np.unique(faces, return_counts=True)
    share = counts.max() / counts.sum()
    if share < LEAST_SHARE:
        raise DataError(
            where, f"not skull-stripped: {share:.0%} of the voxels at the border hold one value → a constant "
            "background expected", STRIP,
        )  # fmt: skip
    value: np.generic = values[counts.argmax()]
    return value


def without_background(image: Array, affine: Array, where: Path | str) -> Array:
    """`image` (D, H, W) with 0 in the background and there alone, for images whose background is any one value.

    `affine` gives voxels in mm. A DataError where more than a brain differs from the background.
    """
    value = background_value(image, where)
    if value != 0:
        image = _shift_above_zero(image, image != value)
    litres = np.count_nonzero(image) * abs(np.linalg.det(affine[:3, :3])) / 1e6
    if litres > LARGEST_BRAIN_LITRES:
        raise DataError(
            where, f"not skull-stripped: {litres:.1f} litres differ from the background ({value}) → a brain of at "
            f"most {LARGEST_BRAIN_LITRES} litres expected", STRIP,
        )  # fmt: skip
    return image


def _shift_above_zero(image: Array, tissue: Array) -> Array:
    """0 outside `tissue` (bool, as the image), and in it the values moved to begin above 0: however far away the
    background is, it takes nothing of the numbers' precision. z-scores do not change."""
    if not tissue.any():
        return np.zeros(image.shape, np.int16)
    lowest, highest = image[tissue].min(), image[tissue].max()
    if np.issubdtype(image.dtype, np.integer) and int(highest) - int(lowest) < 2**31:
        wide = image if image.dtype.itemsize == 8 else image.astype(np.int64)  # of 8 bytes only the background wraps
        return np.where(tissue, (wide - wide.dtype.type(lowest)).astype(np.int64) + 1, 0)
    step = (float(highest) - float(lowest)) / 1000 or 1.0
    return np.where(tissue, image.astype(np.float64) - float(lowest) + step, 0.0).astype(np.float32)
