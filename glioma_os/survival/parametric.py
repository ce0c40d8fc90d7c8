"""Survival models with a full likelihood: Weibull's accelerated failure time, and the hazard of discrete intervals."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from glioma_os.errors import DataError, TrainingError
from glioma_os.records import Array


class Weibull(NamedTuple):
    """log T = intercept + x·β + scale·W, W the smallest-extreme-value error (R's `survreg`)."""

    intercept: float
    beta: Array
    scale: float
    log_likelihood: float

    def survival(self, inputs: Array, at_days: Array) -> Array:
        """S(t | x), (n, horizons)."""
        centre = self.intercept + inputs @ self.beta
        with np.errstate(divide="ignore"):
            log_days = np.log(np.asarray(at_days, float))
        return np.asarray(np.exp(-np.exp(np.minimum((log_days[None, :] - centre[:, None]) / self.scale, 700.0))))


def fit_weibull(inputs: Array, time: Array, event: Array, l2: float = 0.0) -> Weibull:
    """Maximises log-likelihood − l2/2·|β|² (Kalbfleisch & Prentice 2002, §3.6; density of T, as R prints it).

    No death is a DataError, a fit that does not converge a TrainingError.
    """
    inputs, log_time, event = np.asarray(inputs, float), np.log(np.asarray(time, float)), np.asarray(event, bool)
    if not event.any():
        raise DataError("Weibull fit", "no death among the rows", "Use rows with events")
    design = np.column_stack([np.ones(len(inputs)), inputs])
    penalty = l2 * (np.arange(design.shape[1]) > 0)

    def loss(parameters: Array) -> tuple[float, Array]:
        beta, log_scale = parameters[:-1], parameters[-1]
        scale = np.exp(log_scale)
        z = (log_time - design @ beta) / scale
        power = np.exp(np.minimum(z, 500.0))
        value = np.sum(event * (z - log_scale - log_time)) - power.sum() - 0.5 * penalty @ beta**2
        slope = (power - event) / scale
        gradient = np.append(design.T @ slope - penalty * beta, np.sum(z * (power - event)) - event.sum())
        return -value, -gradient

    start = np.zeros(design.shape[1] + 1)
    start[0] = np.log(np.exp(log_time).sum() / event.sum())
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 1000, "ftol": 1e-13, "gtol": 1e-7})
    if not np.isfinite(found.x).all() or np.abs(loss(found.x)[1]).max() > 1e-2 * len(time):
        raise TrainingError("Weibull fit", f"no convergence ({found.message})", "Raise l2 or drop collinear inputs")
    beta = found.x[1:-1]
    return Weibull(float(found.x[0]), beta, float(np.exp(found.x[-1])), -float(found.fun) + 0.5 * l2 * beta @ beta)


class DiscreteHazard(NamedTuple):
    """logit P(death in interval k | alive at its start, x) = level[k] + x·β. `edges` (K,) days: the intervals' ends."""

    edges: Array
    level: Array
    beta: Array

    def survival(self, inputs: Array, at_days: Array) -> Array:
        """S(t | x), (n, horizons): log S is linear within an interval, and extrapolated after the last."""
        risk = inputs @ self.beta
        log_alive = -np.logaddexp(0.0, self.level[None, :] + risk[:, None])
        starts = np.append(0.0, self.edges[:-1])
        days = np.asarray(at_days, float)
        own = np.minimum(np.searchsorted(self.edges, days), len(self.edges) - 1)
        before = np.column_stack([np.zeros(len(risk)), log_alive.cumsum(axis=1)])[:, own]
        return np.asarray(np.exp(before + log_alive[:, own] * ((days - starts[own]) / (self.edges - starts)[own])))


def fit_discrete_hazard(
    inputs: Array, time: Array, event: Array, intervals: int = 8, l2: float = 0.0
) -> DiscreteHazard:
    """Proportional-odds model of the hazard in intervals that hold equally many deaths (Cox 1972; Allison 1982).

    Maximises log-likelihood − l2/2·|β|² by Newton steps. A row censored inside an interval leaves at its start.
    """
    inputs, time, event = np.asarray(inputs, float), np.asarray(time, float), np.asarray(event, bool)
    if not event.any():
        raise DataError("discrete hazard", "no death among the rows", "Use rows with events")
    edges = np.unique(np.quantile(time[event], np.arange(1, intervals + 1) / intervals))
    own = np.searchsorted(edges, time)
    through = own[:, None] > np.arange(len(edges))
    dying = (own[:, None] == np.arange(len(edges))) & event[:, None]
    at_risk = through | dying
    row, interval = np.nonzero(at_risk)
    design = np.column_stack([np.eye(len(edges))[interval], inputs[row]])
    # The baseline levels are slightly penalised too: in an interval that nobody survives the estimate would diverge.
    penalty = np.append(np.full(len(edges), 1e-6), np.full(inputs.shape[1], max(l2, 1e-9)))
    found = _penalised_logistic(design, dying[row, interval].astype(float), penalty)
    return DiscreteHazard(edges, found[: len(edges)], found[len(edges) :])


def _penalised_logistic(design: Array, outcome: Array, penalty: Array) -> Array:
    """argmax of the Bernoulli log-likelihood − Σ penalty/2·β²."""

    def climb(beta: Array) -> float:
        score = design @ beta
        return float(outcome @ score - np.logaddexp(0.0, score).sum() - 0.5 * penalty @ beta**2)

    beta = np.zeros(design.shape[1])
    value = climb(beta)
    for _ in range(100):
        mean = expit(design @ beta)
        gradient = design.T @ (outcome - mean) - penalty * beta
        information = (design.T * (mean * (1 - mean))) @ design + np.diag(penalty)
        step = np.linalg.solve(information, gradient)
        gain = float(gradient @ step)
        if gain < 1e-12 * (1 + abs(value)):
            return beta + step
        while not (new := climb(beta + step)) >= value + 1e-4 * gain and np.abs(step).max() > 1e-12:
            step, gain = step / 2, gain / 2
        beta, value = beta + step, new
    raise TrainingError("discrete hazard", "no convergence in 100 Newton steps", "Raise l2")
