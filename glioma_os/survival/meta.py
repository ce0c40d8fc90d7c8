"""Random-effects summary of a performance measure over cohorts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.stats import t

from glioma_os.errors import DataError
from glioma_os.records import Array


class RandomEffects(NamedTuple):
    """Mean with its 95 % interval, and the interval in which the value of a further cohort is expected to lie.

    `tau2`: variance between cohorts. The prediction interval is NaN for two cohorts, which say nothing of a spread.
    """

    mean: float
    low: float
    high: float
    prediction_low: float
    prediction_high: float
    tau2: float


def random_effects(estimates: Array, errors: Array, level: float = 0.95) -> RandomEffects:
    """Estimates (k,) with standard errors (k,): between-cohort variance by Paule & Mandel 1982, interval of the mean by
    Hartung–Knapp (2001; never narrower than without it), prediction interval by Higgins 2009 with k − 2 degrees."""
    estimates, errors = np.asarray(estimates, float), np.asarray(errors, float)
    k = len(estimates)
    if k < 2 or not (errors > 0).all():
        raise DataError("random effects", f"{k} cohorts → two or more with an interval expected", "Add cohorts")

    def excess(tau2: float) -> float:
        weights = 1 / (errors**2 + tau2)
        mean = weights @ estimates / weights.sum()
        return float(weights @ (estimates - mean) ** 2 - (k - 1))

    upper = float(np.ptp(estimates) ** 2 + 1e-12)
    tau2 = brentq(excess, 0.0, upper * k) if excess(0.0) > 0 else 0.0
    weights = 1 / (errors**2 + tau2)
    mean = float(weights @ estimates / weights.sum())
    scale = max(1.0, float(weights @ (estimates - mean) ** 2 / (k - 1)))
    se = float(np.sqrt(scale / weights.sum()))
    reach = t.ppf(0.5 + level / 2, k - 1) * se
    ahead = t.ppf(0.5 + level / 2, k - 2) * np.sqrt(tau2 + se**2) if k > 2 else float("nan")
    return RandomEffects(mean, mean - reach, mean + reach, mean - ahead, mean + ahead, float(tau2))


def pooled_probability(values: Array, low: Array, high: Array) -> RandomEffects:
    """The same for AUC or C with 95 % intervals, on the logit scale (Snell 2018) and brought back; `tau2` on the logit
    scale."""

    def expit(score: float) -> float:
        return float(1 / (1 + np.exp(-score)))

    def logit(p: Array) -> Array:
        clipped = np.clip(np.asarray(p, float), 1e-3, 1 - 1e-3)
        return np.asarray(np.log(clipped / (1 - clipped)))

    errors = np.maximum((logit(high) - logit(low)) / (2 * 1.959964), 1e-6)
    found = random_effects(logit(values), errors)
    mean, low_mean, high_mean, low_ahead, high_ahead = map(expit, found[:5])
    return RandomEffects(mean, low_mean, high_mean, low_ahead, high_ahead, found.tau2)
