"""What repeated cross-validation and permutations allow to be said, and BCa intervals."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import norm, t

from glioma_os.errors import DataError
from glioma_os.records import Array


class Corrected(NamedTuple):
    """Mean over folds and repeats, its 95 % interval, and the two-sided p value against 0."""

    mean: float
    low: float
    high: float
    p: float


def nadeau_bengio(values: Array, n_train: float, n_test: float, level: float = 0.95) -> Corrected:
    """Corrected resampled t interval of `values` (folds · repeats,) (Nadeau & Bengio 2003): folds share patients."""
    values = np.asarray(values, float)
    k = len(values)
    if k < 2:
        raise DataError("corrected interval", f"{k} folds → two or more expected", "Use more folds")
    mean = float(values.mean())
    se = float(np.sqrt((1 / k + n_test / n_train) * values.var(ddof=1)))
    reach = float(t.ppf(0.5 + level / 2, k - 1)) * se
    p = float(2 * t.sf(abs(mean) / se, k - 1)) if se > 0 else float(mean == 0)
    return Corrected(mean, mean - reach, mean + reach, p)


def permutation_p(observed: float, null: Array) -> float:
    """(1 + how many of the null values reach the observed) / (1 + their number) (Phipson & Smyth 2010)."""
    return float((1 + np.sum(np.asarray(null) >= observed)) / (1 + len(null)))


def jackknife_weights(n: int) -> Array:
    """Each of n patients left out once, (n, n) int."""
    return 1 - np.eye(n, dtype=int)


def bca_interval(values: Array, point: float, jackknife: Array, level: float = 0.95) -> tuple[float, float]:
    """Bias-corrected and accelerated interval (Efron 1987) of replicates (B,), from the values of `jackknife_weights`.

    NaN replicates are left out. A jackknife without spread gives the bias-corrected interval.
    """
    values, jackknife = values[~np.isnan(values)], jackknife[~np.isnan(jackknife)]
    if not len(values) or not len(jackknife):
        raise DataError("BCa interval", "no defined replicate", "Use more patients")
    below = (np.sum(values < point) + 0.5 * np.sum(values == point)) / len(values)
    bias = norm.ppf(np.clip(below, 0.5 / len(values), 1 - 0.5 / len(values)))
    gap = jackknife.mean() - jackknife
    spread = np.sum(gap**2)
    acceleration = np.sum(gap**3) / (6 * spread**1.5) if spread > 0 else 0.0
    reach = bias + norm.ppf([0.5 - level / 2, 0.5 + level / 2])
    low, high = np.quantile(values, norm.cdf(bias + reach / (1 - acceleration * reach)))
    return float(low), float(high)
