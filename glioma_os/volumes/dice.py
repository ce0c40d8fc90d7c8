"""Dice per region, with the value for empty masks declared rather than accidental."""

from __future__ import annotations

import numpy as np

from glioma_os.records import Array

BOTH_EMPTY = 1.0  # BraTS: nothing to find and nothing found is right


def dice(prediction: Array, reference: Array) -> Array:
    """2·|A∩B| / (|A|+|B|) for each region: two bool arrays (R, D, H, W) → (R,). One of them empty gives 0."""
    axes = tuple(range(1, prediction.ndim))
    both = np.logical_and(prediction, reference).sum(axes)
    sizes = prediction.sum(axes) + reference.sum(axes)
    return np.where(sizes == 0, BOTH_EMPTY, 2 * both / np.maximum(sizes, 1))
