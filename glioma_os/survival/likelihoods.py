"""Cox's partial likelihood in log-space: finite for log-hazards of ±700."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from glioma_os.errors import ConfigError, DataError, TrainingError
from glioma_os.records import Array

Ties = Literal["efron", "breslow"]


class CoxTerms(NamedTuple):
    """One term per death. `at_risk`, `tied` (deaths, n) bool; `removed` (deaths,) = Efron's share l/d of the tied."""

    event: Array
    at_risk: Array
    tied: Array
    removed: Array


class CoxLikelihood(NamedTuple):
    """`value`, `gradient` (n,) and `hessian` (n, n) with respect to the log-hazards."""

    value: float
    gradient: Array
    hessian: Array


def cox_terms(time: Array, event: Array, ties: Ties = "efron") -> CoxTerms:
    """The risk sets: they depend on the outcome alone, so a fit builds them once."""
    if ties not in ("efron", "breslow"):
        raise ConfigError("ties", f"{ties!r} found → efron or breslow expected", "Correct the key")
    time, event = np.asarray(time, float), np.asarray(event, bool)
    if not event.any():
        raise DataError("Cox likelihood", "no death among the rows", "Use rows with events")
    deaths = np.sort(time[event])
    tied = (time[None, :] == deaths[:, None]) & event[None, :]
    position = np.arange(len(deaths)) - np.searchsorted(deaths, deaths, side="left")
    removed = position / tied.sum(axis=1) if ties == "efron" else np.zeros(len(deaths))
    return CoxTerms(event, time[None, :] >= deaths[:, None], tied, removed)


def _value_and_shares(log_hazard: Array, terms: CoxTerms) -> tuple[float, Array]:
    """Log-likelihood, and the share (deaths, n) that each row at risk has in each term's hazard (Efron 1977)."""
    within = np.where(terms.at_risk, log_hazard[None, :], -np.inf)
    top = within.max(axis=1, keepdims=True)
    hazard = np.exp(within - top) * (1 - terms.removed[:, None] * terms.tied)
    total = hazard.sum(axis=1, keepdims=True)
    value = float(np.sum(log_hazard[terms.event]) - np.sum(top + np.log(total)))
    return value, hazard / total


def cox_log_likelihood(log_hazard: Array, time: Array, event: Array, ties: Ties = "efron") -> CoxLikelihood:
    """Partial log-likelihood with its derivatives. All censored is a DataError."""
    terms = cox_terms(time, event, ties)
    value, shares = _value_and_shares(np.asarray(log_hazard, float), terms)
    expected = shares.sum(axis=0)
    return CoxLikelihood(value, terms.event - expected, shares.T @ shares - np.diag(expected))


def fit_cox(
    inputs: Array, time: Array, event: Array, l2: float = 0.0, ties: Ties = "efron", max_steps: int = 100
) -> Array:
    """Coefficients (p,) that maximise log-likelihood − l2/2·|β|², by Newton steps halved until they climb.

    Raises TrainingError when it does not converge, as with l2 = 0 where a column parts the deaths in order.
    """
    inputs = np.asarray(inputs, float)
    terms = cox_terms(time, event, ties)

    def climb(beta: Array) -> tuple[float, Array]:
        value, shares = _value_and_shares(inputs @ beta, terms)
        return value - 0.5 * l2 * float(beta @ beta), shares

    beta = np.zeros(inputs.shape[1])
    value, shares = climb(beta)
    for _ in range(max_steps):
        expected, means = shares.sum(axis=0), shares @ inputs
        gradient = inputs.T @ (terms.event - expected) - l2 * beta
        information = (inputs.T * expected) @ inputs - means.T @ means + l2 * np.eye(len(beta))
        step = np.linalg.lstsq(information, gradient, rcond=None)[0]
        gain = float(gradient @ step)
        if gain < 1e-14 * (1 + abs(value)):
            return beta + step
        new_value, new_shares = climb(beta + step)
        while new_value < value + 1e-4 * gain and np.abs(step).max() > 1e-12:
            step, gain = step / 2, gain / 2
            new_value, new_shares = climb(beta + step)
        beta, value, shares = beta + step, new_value, new_shares
    raise TrainingError("Cox fit", f"no convergence in {max_steps} Newton steps", "Raise l2 or drop collinear inputs")
