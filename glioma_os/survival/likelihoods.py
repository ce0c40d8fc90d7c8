"""Cox's partial likelihood, by running sums over the rows in falling time: O(n) a step, ties by Efron or Breslow."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from glioma_os.errors import ConfigError, DataError, TrainingError
from glioma_os.records import Array

Ties = Literal["efron", "breslow"]


class RiskSets(NamedTuple):
    """Who was at risk at each death; it follows from the outcome alone, so a fit builds it once.

    `order` (n,) sorts rows by falling time. Per death, in that order: `death` its place, `last` the place of the last
    row still at risk, `group` the number of its tied time, `removed` Efron's share l/d of the tied. `starts`: where
    each group begins among the deaths.
    """

    order: Array
    death: Array
    last: Array
    group: Array
    starts: Array
    removed: Array


class CoxLikelihood(NamedTuple):
    """Partial log-likelihood and its `gradient` (n,) with respect to the log-hazards."""

    value: float
    gradient: Array


def risk_sets(time: Array, event: Array, ties: Ties = "efron") -> RiskSets:
    """Risk sets of (n,) times and events. All censored is a DataError."""
    if ties not in ("efron", "breslow"):
        raise ConfigError("ties", f"{ties!r} found → efron or breslow expected", "Correct the value")
    time, event = np.asarray(time, float), np.asarray(event, bool)
    if not event.any():
        raise DataError("Cox likelihood", "no death among the rows", "Use rows with events")
    order = np.argsort(-time, kind="stable")
    falling = -time[order]
    death = np.flatnonzero(event[order])
    _, starts, group, tied = np.unique(falling[death], return_index=True, return_inverse=True, return_counts=True)
    rank = np.arange(len(death)) - starts[group]
    removed = rank / tied[group] if ties == "efron" else np.zeros(len(death))
    return RiskSets(order, death, np.searchsorted(falling, falling[death], side="right") - 1, group, starts, removed)


def _hazards(log_hazard: Array, sets: RiskSets) -> tuple[float, Array, Array]:
    """Log-likelihood; hazards (n,) of the sorted rows and each death's denominator, both relative to the highest."""
    sorted_rows = log_hazard[sets.order]
    top = sorted_rows.max()
    hazard = np.exp(sorted_rows - top)
    log_at_risk = np.logaddexp.accumulate(sorted_rows)[sets.last]
    own = sorted_rows[sets.death]
    log_tied = np.logaddexp.reduceat(own, sets.starts)[sets.group]
    log_total = log_at_risk + np.log1p(-sets.removed * np.exp(log_tied - log_at_risk))
    # Beyond e^-650 of the highest hazard a denominator counts as that: 1 / total must stay finite.
    return float(np.sum(own - log_total)), hazard, np.exp(np.maximum(log_total - top, -650.0))


def _expected_deaths(hazard: Array, total: Array, sets: RiskSets) -> Array:
    """Expected deaths (n,) of each sorted row: its share of the hazard, summed over the deaths it was at risk for."""
    upto = np.bincount(sets.last, weights=1 / total, minlength=len(hazard))[::-1].cumsum()[::-1]
    upto[sets.death] -= np.add.reduceat(sets.removed / total, sets.starts)[sets.group]
    return np.asarray(hazard * upto)


def cox_log_likelihood(log_hazard: Array, time: Array, event: Array, ties: Ties = "efron") -> CoxLikelihood:
    """Partial log-likelihood (Cox 1972; Efron 1977; Breslow 1974) of log-hazards (n,)."""
    sets = risk_sets(time, event, ties)
    value, hazard, total = _hazards(np.asarray(log_hazard, float), sets)
    gradient = np.empty(len(hazard))
    gradient[sets.order] = np.asarray(event, float)[sets.order] - _expected_deaths(hazard, total, sets)
    return CoxLikelihood(value, gradient)


def _slope_and_curvature(inputs: Array, hazard: Array, total: Array, sets: RiskSets) -> tuple[Array, Array]:
    """Gradient (p,) and information (p, p) with respect to the coefficients; `inputs` (n, p) sorted."""
    expected = _expected_deaths(hazard, total, sets)
    weighted = hazard[:, None] * inputs
    tied = np.add.reduceat(weighted[sets.death], sets.starts, axis=0)[sets.group]
    means = (weighted.cumsum(axis=0)[sets.last] - sets.removed[:, None] * tied) / total[:, None]
    gradient = inputs[sets.death].sum(axis=0) - expected @ inputs
    return gradient, (inputs.T * expected) @ inputs - means.T @ means


def _lasso_step(beta: Array, gradient: Array, information: Array, l1: float) -> Array:
    """argmin over δ of −gradient·δ + ½ δ'Iδ + l1·|β + δ|, by coordinate descent (Friedman 2010)."""
    step, diagonal = np.zeros(len(beta)), np.maximum(np.diag(information), 1e-12)
    for _ in range(200):
        moved = 0.0
        for j in range(len(beta)):
            free = beta[j] + step[j] + (gradient[j] - information[j] @ step) / diagonal[j]
            shrunk = np.sign(free) * max(abs(free) - l1 / diagonal[j], 0.0) - beta[j]
            moved = max(moved, abs(shrunk - step[j]))
            step[j] = shrunk
        if moved < 1e-10:
            break
    return step


def fit_cox(
    inputs: Array, time: Array, event: Array, l2: float = 0.0, l1: float = 0.0, ties: Ties = "efron",
    max_steps: int = 100,
) -> Array:  # fmt: skip
    """Coefficients (p,) that maximise log-likelihood − l2/2·|β|² − l1·|β|₁, by Newton steps halved until they climb.

    Raises TrainingError when it does not converge, as with l2 = 0 where a column parts the deaths in order.
    """
    sets = risk_sets(time, event, ties)
    inputs = np.asarray(inputs, float)[sets.order]
    in_order = sets._replace(order=np.arange(len(inputs)))

    def climb(beta: Array) -> tuple[float, Array, Array]:
        value, hazard, total = _hazards(inputs @ beta, in_order)
        return value - 0.5 * l2 * float(beta @ beta) - l1 * float(np.abs(beta).sum()), hazard, total

    beta = np.zeros(inputs.shape[1])
    value, hazard, total = climb(beta)
    for _ in range(max_steps):
        gradient, information = _slope_and_curvature(inputs, hazard, total, in_order)
        gradient, information = gradient - l2 * beta, information + l2 * np.eye(len(beta))
        if l1:
            step = _lasso_step(beta, gradient, information, l1)
        else:
            step = np.linalg.lstsq(information, gradient, rcond=None)[0]
        gain = float(gradient @ step) - l1 * float(np.abs(beta + step).sum() - np.abs(beta).sum())
        if gain < 1e-14 * (1 + abs(value)):
            return np.asarray(beta + step)
        new_value, hazard, total = climb(beta + step)
        while not new_value >= value + 1e-4 * gain and np.abs(step).max() > 1e-12:
            step, gain = step / 2, gain / 2
            new_value, hazard, total = climb(beta + step)
        beta, value = beta + step, new_value
    raise TrainingError("Cox fit", f"no convergence in {max_steps} Newton steps", "Raise l2 or drop collinear inputs")
