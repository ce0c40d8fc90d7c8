"""Calibration of predicted probabilities."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit
from scipy.stats import chi2, norm

from glioma_os.errors import DataError, TrainingError
from glioma_os.records import Array


class Reliability(NamedTuple):
    """One entry per bin: mean prediction, observed share with its Wilson interval, patients."""

    predicted: Array
    observed: Array
    low: Array
    high: Array
    n: Array


class Recalibration(NamedTuple):
    """`intercept`: calibration in the large, the slope held at 1 (0 is ideal); `slope`: 1 is ideal.

    Where the maximum-likelihood estimate does not exist the value says why. `slope` ±inf: the predictions separate the
    outcomes perfectly (−inf: in the wrong order); `slope` NaN: one prediction for everybody, or one outcome only;
    `intercept` ±inf: one outcome only.
    """

    intercept: float
    slope: float


def wilson(successes: Array, n: Array, level: float = 0.95) -> tuple[Array, Array]:
    """Wilson's score interval of a proportion (Wilson 1927)."""
    z2 = norm.ppf(0.5 + level / 2) ** 2
    share = successes / n
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    reach = np.sqrt(z2 * share * (1 - share) / n + z2 * z2 / (4 * n * n)) / (1 + z2 / n)
    return np.maximum(centre - reach, 0.0), np.minimum(centre + reach, 1.0)


def reliability(probability: Array, outcome: Array, bins: int = 10) -> Reliability:
    """Reliability curve over quantile bins of the prediction; bins that fall together are merged."""
    probability, outcome = np.asarray(probability, float), np.asarray(outcome, float)
    if not len(probability):
        raise DataError("reliability", "no row found → at least one expected", "Give at least one prediction")
    edges = np.unique(np.quantile(probability, np.linspace(0, 1, bins + 1)[1:-1]))
    _, place = np.unique(np.searchsorted(edges, probability, side="right"), return_inverse=True)
    n = np.bincount(place)
    yes = np.bincount(place, weights=outcome)
    low, high = wilson(yes, n)
    return Reliability(np.bincount(place, weights=probability) / n, yes / n, low, high, n)


def _newton_logistic(inputs: Array, offset: Array, outcome: Array) -> Array:
    """Coefficients (p,) of an unpenalised logistic model, by Newton steps halved until the likelihood rises."""

    def log_likelihood(beta: Array) -> float:
        score = inputs @ beta + offset
        return float(outcome @ score - np.logaddexp(0.0, score).sum())

    beta = np.zeros(inputs.shape[1])
    value = log_likelihood(beta)
    for _ in range(100):
        mean = expit(inputs @ beta + offset)
        information = (inputs.T * (mean * (1 - mean))) @ inputs
        step = np.linalg.lstsq(information, inputs.T @ (outcome - mean), rcond=None)[0]
        if np.abs(step).max() < 1e-10:
            return np.asarray(beta + step)
        lowest = value - 1e-12 * (1 + abs(value))  # rounding of the sum, not a descent
        while (new := log_likelihood(beta + step)) < lowest and np.abs(step).max() > 1e-12:
            step = step / 2
        beta, value = beta + step, new
    raise TrainingError("recalibration", "no convergence in 100 Newton steps", "Check the predicted probabilities")


def _separation(score: Array, outcome: Array) -> int:
    """1 where no row with the outcome has a lower score than one without it, −1 where none has a higher; else 0."""
    with_outcome, without = score[outcome], score[~outcome]
    return int(with_outcome.min() >= without.max()) - int(with_outcome.max() <= without.min())


def recalibration(probability: Array, outcome: Array) -> Recalibration:
    """Logistic recalibration (Cox 1958; Van Calster 2019) of (n,) predictions. They are held 1e-6 away from 0 and 1.

    No row is a DataError; everything else that has no estimate is marked by its value, see `Recalibration`.
    """
    outcome = np.asarray(outcome, float) > 0.5
    if not len(outcome):
        raise DataError("recalibration", "no row found → at least one expected", "Give at least one prediction")
    if outcome.all() or not outcome.any():
        return Recalibration(float("inf") if outcome.all() else float("-inf"), float("nan"))
    score = logit(np.clip(np.asarray(probability, float), 1e-6, 1 - 1e-6))
    ones, target = np.ones((len(score), 1)), outcome.astype(float)
    intercept = float(_newton_logistic(ones, score, target)[0])
    spread = float(score.std())
    if np.ptp(score) == 0:
        return Recalibration(intercept, float("nan"))
    if sign := _separation(score, outcome):
        return Recalibration(intercept, sign * float("inf"))
    scaled = np.column_stack([ones[:, 0], (score - score.mean()) / spread])
    return Recalibration(intercept, float(_newton_logistic(scaled, np.zeros(len(score)), target)[1]) / spread)


def brier(classes: Array, probabilities: Array, weights: Array) -> Array:
    """Brier score (B,) of (n, K) probabilities: squared error of P(class) for K = 2, summed over classes for more."""
    truth = np.eye(probabilities.shape[1])[np.asarray(classes)]
    errors = np.sum((probabilities - truth) ** 2, axis=1) / (2 if probabilities.shape[1] == 2 else 1)
    return np.asarray(weights @ errors / weights.sum(axis=1))


class DCalibration(NamedTuple):
    """Patients in each tenth of predicted survival (shares, ideally all 1/bins), χ² with bins − 1 degrees, and p."""

    shares: Array
    chi2: float
    p: float


def d_calibration(alive_at_own_time: Array, event: Array, bins: int = 10) -> DCalibration:
    """Distribution calibration (Haider 2020) of S(T | x) (n,), each at the patient's own time.

    A death counts in its bin; a censored patient is spread over the bins below, as the prediction says.
    """
    probability, event = np.clip(np.asarray(alive_at_own_time, float), 1e-12, 1.0), np.asarray(event, bool)
    if not len(probability):
        raise DataError("D-calibration", "no row found → at least one expected", "Give at least one prediction")
    edges = np.linspace(0, 1, bins + 1)
    place = np.minimum(np.searchsorted(edges, probability, side="right") - 1, bins - 1)
    counts = np.bincount(place[event], minlength=bins).astype(float)
    for own, bin_ in zip(probability[~event], place[~event], strict=True):
        counts[bin_] += (own - edges[bin_]) / own
        counts[:bin_] += 1 / (bins * own)
    statistic = float(np.sum((counts - len(probability) / bins) ** 2) / (len(probability) / bins))
    return DCalibration(counts / len(probability), statistic, float(chi2.sf(statistic, bins - 1)))
