"""Predictions back from the prepared brain box to the scanner's own grid."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from glioma_os.records import Array
from glioma_os.volumes.store import StoredVolume


def to_native(probabilities: Array, stored: StoredVolume) -> Array:
    """Region probabilities (R, D, H, W) of the brain box → (R, *native_shape), linear between voxels, 0 outside."""
    step = np.linalg.inv(stored.affine) @ stored.native_affine
    return np.stack(
        [
            ndimage.affine_transform(
                plane.astype(np.float32), step[:3, :3], step[:3, 3], output_shape=stored.native_shape, order=1
            )
            for plane in probabilities
        ]
    )
