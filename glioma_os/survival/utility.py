"""Would acting on the prediction do more good than harm?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from glioma_os.errors import DataError
from glioma_os.records import Array


class DecisionCurve(NamedTuple):
    """Net benefit at each threshold probability: of the model, of treating all; treating none is 0."""

    thresholds: Array
    model: Array
    treat_all: Array


def decision_curve(happened: Array, probability: Array, thresholds: Array) -> DecisionCurve:
    """Net benefit = true positives/n − false positives/n · p/(1−p) (Vickers & Elkin 2006); thresholds in (0, 1)."""
    happened, probability = np.asarray(happened, bool), np.asarray(probability, float)
    thresholds = np.asarray(thresholds, float)
    if not np.all((thresholds > 0) & (thresholds < 1)):
        raise DataError("decision curve", f"thresholds {thresholds} found → in (0, 1) expected", "Correct them")
    odds = thresholds / (1 - thresholds)
    treated = probability[None, :] >= thresholds[:, None]
    good, harm = (treated & happened).mean(axis=1), (treated & ~happened).mean(axis=1)
    share = happened.mean()
    return DecisionCurve(thresholds, good - odds * harm, share - odds * (1 - share))


def net_reclassification(happened: Array, before: Array, after: Array, threshold: float) -> float:
    """Net reclassification improvement at one threshold (Pencina 2008): asked for, not recommended."""
    happened = np.asarray(happened, bool)
    moved = (np.asarray(after) >= threshold).astype(float) - (np.asarray(before) >= threshold)
    return float(moved[happened].mean() - moved[~happened].mean())
