"""Survival curves of groups, and the curve a Cox model predicts for each patient."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import chi2, norm

from glioma_os.errors import DataError
from glioma_os.records import Array
from glioma_os.survival.likelihoods import fit_cox


class KaplanMeier(NamedTuple):
    """One entry per distinct time. `variance` is Greenwood's; `low`, `high` the log-log interval of S."""

    times: Array
    survival: Array
    at_risk: Array
    variance: Array
    low: Array
    high: Array


class LogRank(NamedTuple):
    """χ² with one degree of freedom, and its p value."""

    chi2: float
    p: float


def _table(time: Array, event: Array) -> tuple[Array, Array, Array]:
    """Distinct times, deaths at each, number at risk just before each."""
    times, place = np.unique(np.asarray(time, float), return_inverse=True)
    deaths = np.bincount(place, weights=np.asarray(event, float), minlength=len(times))
    leaving = np.bincount(place, minlength=len(times))
    return times, deaths, leaving[::-1].cumsum()[::-1]


def kaplan_meier(time: Array, event: Array, level: float = 0.95) -> KaplanMeier:
    """Kaplan–Meier estimate with Greenwood's variance and the log-log interval (Kalbfleisch & Prentice 2002, §1.4).

    Where S is 0 or 1 the interval is the point itself.
    """
    if not len(time):
        raise DataError("Kaplan–Meier", "no row", "Give at least one patient")
    times, deaths, at_risk = _table(time, event)
    survival = np.cumprod(1 - deaths / at_risk)
    alive = at_risk > deaths
    steps = np.divide(deaths, at_risk * (at_risk - deaths), out=np.zeros(len(times)), where=alive)
    relative = np.cumsum(steps)
    inside = (survival > 0) & (survival < 1)
    log_survival = np.log(survival, out=np.full(len(times), -1.0), where=inside)
    reach = np.where(inside, norm.ppf(0.5 + level / 2) * np.sqrt(relative) / np.abs(log_survival), 0.0)
    low, high = survival ** np.exp(reach), survival ** np.exp(-reach)
    return KaplanMeier(times, survival, at_risk, survival**2 * relative, low, high)


def log_rank(time: Array, event: Array, group: Array) -> LogRank:
    """Log-rank test of two groups (Mantel 1966). `group` (n,) bool; fewer than two groups is a DataError."""
    group = np.asarray(group, bool)
    if group.all() or not group.any():
        raise DataError("log-rank", "one group found → two expected", "Split the patients another way")
    times, deaths, at_risk = _table(time, event)
    own_time = np.asarray(time, float)[group]
    own_deaths = np.asarray(event, float)[group]
    own_risk = len(own_time) - np.searchsorted(np.sort(own_time), times, side="left")
    share = own_risk / at_risk
    spread = np.divide(at_risk - deaths, at_risk - 1, out=np.zeros(len(times)), where=at_risk > 1)
    variance = float(np.sum(deaths * share * (1 - share) * spread))
    if variance == 0:
        raise DataError("log-rank", "no death while both groups were at risk", "The test says nothing here")
    statistic = float((own_deaths.sum() - np.sum(deaths * share)) ** 2 / variance)
    return LogRank(statistic, float(chi2.sf(statistic, 1)))


def log_rank_scores(time: Array, event: Array) -> Array:
    """Score (n,) of each row: its death, minus the Nelson–Aalen hazard up to its time (Hothorn & Lausen 2003)."""
    _, place = np.unique(time, return_inverse=True)
    at_risk = np.bincount(place)[::-1].cumsum()[::-1]
    hazard = np.cumsum(np.bincount(place, weights=event) / at_risk)
    return np.asarray(event - hazard[place])


class Baseline(NamedTuple):
    """Breslow's cumulative baseline hazard: its log (deaths,) from each distinct day of death on; −inf before."""

    days: Array
    log_cumulative: Array

    @classmethod
    def fit(cls, time: Array, event: Array, log_hazard: Array) -> Baseline:
        """From the training rows' outcomes and log-hazards (n,) (Breslow 1974). No death is a DataError."""
        time, event, log_hazard = np.asarray(time, float), np.asarray(event, bool), np.asarray(log_hazard, float)
        if not event.any():
            raise DataError("Breslow baseline", "no death among the training rows", "Use rows with events")
        order = np.argsort(-time, kind="stable")
        log_risk_set = np.logaddexp.accumulate(log_hazard[order])
        days, deaths = np.unique(time[event], return_counts=True)
        last_tied = np.searchsorted(-time[order], -days, side="right") - 1
        return cls(days, np.logaddexp.accumulate(np.log(deaths) - log_risk_set[last_tied]))

    def survival(self, log_hazard: Array, at_days: Array) -> Array:
        """S(t | x) = exp(−H₀(t)·e^η), (n, horizons), for log-hazards η (n,) of new rows."""
        padded = np.append(-np.inf, self.log_cumulative)
        at = padded[np.searchsorted(self.days, np.asarray(at_days, float), side="right")]
        exponent = np.asarray(log_hazard, float)[:, None] + at[None, :]
        return np.asarray(np.exp(-np.exp(np.minimum(exponent, 700.0))))


class CurveCalibration(NamedTuple):
    """Survival curves for risks of any scale: a Cox model of one column, the risk itself."""

    mean: float
    scale: float
    beta: float
    baseline: Baseline

    @classmethod
    def fit(cls, risk: Array, time: Array, event: Array) -> CurveCalibration:
        """`risk` (n,) of the training rows from fits that did not see them: from a head's own training rows the
        curves of a head that overfits would be far too sure."""
        mean, sd = float(np.mean(risk)), float(np.std(risk))
        scale = sd if sd > 1e-12 * max(abs(mean), 1.0) else 1.0
        column = (risk - mean)[:, None] / scale
        beta = fit_cox(column, time, event, l2=1.0)  # one pseudo-patient's worth: perfect separation stays finite
        return cls(mean, scale, float(beta[0]), Baseline.fit(time, event, column @ beta))

    def survival(self, risk: Array, at_days: Array) -> Array:
        """S(t) (m, horizons) for risks (m,)."""
        return self.baseline.survival((risk - self.mean) / self.scale * self.beta, at_days)


def median_days(curves: Array, horizons_days: Array) -> Array:
    """Predicted median survival (n,): where S(t) crosses ½, linear between horizons; beyond the last, the last."""
    days = np.append(0.0, horizons_days)
    alive = np.hstack([np.ones((len(curves), 1)), curves])
    after = np.argmax(np.hstack([alive < 0.5, np.ones((len(alive), 1), bool)]), axis=1)
    right = np.minimum(after, len(days) - 1)
    left = np.maximum(right - 1, 0)
    rows = np.arange(len(alive))
    high, low = alive[rows, left], alive[rows, right]
    share = np.divide(high - 0.5, high - low, out=np.ones(len(alive)), where=high > low)
    return np.asarray(
        np.where(after == len(days), days[-1], days[left] + np.clip(share, 0, 1) * (days[right] - days[left]))
    )
