"""DeLong's test: are two AUCs of the same patients different?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import norm, rankdata

from glioma_os.errors import DataError
from glioma_os.records import Array


class Delong(NamedTuple):
    """AUCs of both scores, their difference with a 95 % interval, and the two-sided p value."""

    first: float
    second: float
    difference: float
    low: float
    high: float
    p: float


def auc_covariance(positive: Array, scores: Array) -> tuple[Array, Array]:
    """AUCs (k,) of `scores` (k, n) and their covariance (k, k) (DeLong 1988, by mid-ranks as in Sun & Xu 2014)."""
    positive, scores = np.asarray(positive, bool), np.atleast_2d(np.asarray(scores, float))
    m, n = int(positive.sum()), int((~positive).sum())
    if m < 2 or n < 2:
        raise DataError("DeLong", f"{m} positives and {n} negatives found → two of each expected", "Use more patients")
    ranks = rankdata(scores, axis=1)
    of_positives = (ranks[:, positive] - rankdata(scores[:, positive], axis=1)) / n
    of_negatives = 1 - (ranks[:, ~positive] - rankdata(scores[:, ~positive], axis=1)) / m
    covariance = np.atleast_2d(np.cov(of_positives)) / m + np.atleast_2d(np.cov(of_negatives)) / n
    return of_positives.mean(axis=1), covariance


def delong(positive: Array, first: Array, second: Array, level: float = 0.95) -> Delong:
    """Paired test of `first` − `second`. Scores that rank everybody alike give a difference of 0 with p = 1."""
    (a, b), covariance = auc_covariance(positive, np.stack([first, second]))
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    se = float(np.sqrt(max(variance, 0.0)))
    gap = float(a - b)
    reach = float(norm.ppf(0.5 + level / 2)) * se
    p = float(2 * norm.sf(abs(gap) / se)) if se > 1e-12 else float(abs(gap) < 1e-12)
    return Delong(float(a), float(b), gap, gap - reach, gap + reach, p)
