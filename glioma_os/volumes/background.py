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


def background_value(image: Array, where: Path | str) -> float:
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
    return float(values[counts.argmax()])


def without_background(image: Array, affine: Array, where: Path | str) -> Array:
    """`image` (D, H, W) with 0 in the background and there alone, for images whose background is any one value.

    `affine` gives voxels in mm. A DataError where more than a brain differs from the background.
    """
    value = background_value(image, where)
    if value != 0:
        wide = np.int64 if np.issubdtype(image.dtype, np.integer) else image.dtype
        image = image.astype(wide) - np.asarray(value, wide)
    litres = np.count_nonzero(image) * abs(np.linalg.det(affine[:3, :3])) / 1e6
    if litres > LARGEST_BRAIN_LITRES:
        raise DataError(
            where, f"not skull-stripped: {litres:.1f} litres differ from the background ({value:g}) → a brain of at "
            f"most {LARGEST_BRAIN_LITRES} litres expected", STRIP,
        )  # fmt: skip
    return image
