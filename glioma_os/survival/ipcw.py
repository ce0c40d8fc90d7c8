"""Metrics by inverse-probability-of-censoring weighting (IPCW). Weights (B, n): one row per replicate."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from glioma_os.records import Array
from glioma_os.survival.classification import ratio, strata_of
from glioma_os.survival.concordance import weighted_concordance


class CensoringKaplanMeier(NamedTuple):
    """Kaplan–Meier estimates under each row of weights: `times` (T,), `uncensored` G and `alive` S (B, T)."""

    times: Array
    uncensored: Array
    alive: Array

    def at(self, curve: Array, days: Array) -> Array:
        """A curve at some days, (B, days): 1 before the first time."""
        padded = np.hstack([np.ones((len(curve), 1)), curve])
        return padded[:, np.searchsorted(self.times, days, side="right")]

    def just_before(self, curve: Array, days: Array) -> Array:
        """Its limit from the left at some days, (B, days): what happens on that very day does not count yet."""
        padded = np.hstack([np.ones((len(curve), 1)), curve])
        return padded[:, np.searchsorted(self.times, days, side="left")]


def censoring_kaplan_meier(time: Array, event: Array, weights: Array) -> CensoringKaplanMeier:
    """Shares not yet censored, and alive, after each distinct time. At equal times deaths precede censorings."""
    times, place = np.unique(np.asarray(time, float), return_inverse=True)
    order = np.argsort(place, kind="stable")
    starts = np.searchsorted(place[order], np.arange(len(times)))
    leaving = np.add.reduceat(weights[:, order], starts, axis=1)
    deaths = np.add.reduceat((weights * np.asarray(event, float))[:, order], starts, axis=1)
    at_risk = leaving[:, ::-1].cumsum(axis=1)[:, ::-1]

    def product(lost: Array, of: Array) -> Array:
        share = np.divide(lost, of, out=np.zeros_like(lost), where=of > 0)
        return np.cumprod(1 - share, axis=1)

    return CensoringKaplanMeier(times, product(leaving - deaths, at_risk - deaths), product(deaths, at_risk))


def _inverse(probability: Array) -> Array:
    """1 / probability; 0 where nobody could be observed."""
    return np.asarray(np.divide(1.0, probability, out=np.zeros_like(probability), where=probability > 0))


def uno_concordance(time: Array, event: Array, risk: Array, weights: Array, strata: Array | None = None) -> Array:
    """Uno's C (Uno 2011), (B,): pairs weighted by 1/G² at the first death; NaN where no pair is comparable.

    G comes from all rows; with `strata` (n,) only pairs within a stratum are compared.
    """
    curves = censoring_kaplan_meier(time, event, weights)
    inverse = _inverse(curves.at(curves.uncensored, np.asarray(time, float)))
    return weighted_concordance(time, event, risk, weights, weights * inverse**2, strata)


def dynamic_auc(
    time: Array, event: Array, risk: Array, horizons_days: Array, weights: Array, strata: Array | None = None
) -> Array:
    """Cumulative/dynamic AUC (Uno 2007) at each horizon, (B, H): who dies until then against who lives beyond.

    The weights of censoring come from all rows; with `strata` (n,) only pairs within a stratum are compared.
    """
    time, event, risk = np.asarray(time, float), np.asarray(event, bool), np.asarray(risk, float)
    curves = censoring_kaplan_meier(time, event, weights)
    weighted = weights * _inverse(curves.at(curves.uncensored, time))
    found = []
    for day in horizons_days:
        concordant, pairs = np.zeros(len(weights)), np.zeros(len(weights))
        for own in strata_of(strata, len(time)):
            cases, controls = own[event[own] & (time[own] <= day)], own[time[own] > day]
            difference = risk[cases, None] - risk[None, controls]
            won = (difference > 0) + 0.5 * (np.abs(difference) <= 1e-8)
            first, second = weighted[:, cases], weights[:, controls]
            concordant += np.einsum("bj,bj->b", first @ won, second)
            pairs += first.sum(axis=1) * second.sum(axis=1)
        found.append(ratio(concordant, pairs))
    return np.stack(found, axis=1)


def mean_dynamic_auc(
    time: Array, event: Array, risk: Array, horizons_days: Array, weights: Array, strata: Array | None = None
) -> Array:
    """Its mean over the horizons (B,), each weighted by the deaths since the one before (Lambert & Chevret 2016)."""
    curves = censoring_kaplan_meier(time, event, weights)
    alive = curves.at(curves.alive, horizons_days)
    died = -np.diff(np.hstack([np.ones((len(alive), 1)), alive]), axis=1)
    values = dynamic_auc(time, event, risk, horizons_days, weights, strata)
    return ratio((values * died).sum(axis=1), 1 - alive[:, -1])


def brier_scores(time: Array, event: Array, curves: Array, horizons_days: Array, weights: Array) -> Array:
    """IPCW Brier score of S(t) `curves` (n, H) at each horizon (Graf 1999), (B, H); 0 is best, ¼ a coin."""
    time, event = np.asarray(time, float), np.asarray(event, bool)
    censoring = censoring_kaplan_meier(time, event, weights)
    own = weights * _inverse(censoring.at(censoring.uncensored, time))
    later = _inverse(censoring.at(censoring.uncensored, horizons_days))
    total = weights.sum(axis=1)
    found = []
    for k, day in enumerate(horizons_days):
        died = own @ np.where(event & (time <= day), curves[:, k] ** 2, 0.0)
        lived = weights @ np.where(time > day, (1 - curves[:, k]) ** 2, 0.0)
        found.append((died + lived * later[:, k]) / total)
    return np.stack(found, axis=1)


def integrated_brier(time: Array, event: Array, curves: Array, horizons_days: Array, weights: Array) -> Array:
    """Mean of the Brier score over the time between the first and the last of two or more horizons, (B,)."""
    values = brier_scores(time, event, curves, horizons_days, weights)
    return np.asarray(np.trapezoid(values, horizons_days, axis=1) / (horizons_days[-1] - horizons_days[0]))


def supported_horizons(horizons_days: Array, time: Array) -> Array:
    """The horizons between the 10 and 90 % quantiles of the follow-up: few are observed beyond."""
    low, high = np.quantile(np.asarray(time, float), [0.1, 0.9])
    horizons = np.asarray(horizons_days, float)
    return np.asarray(horizons[(horizons >= low) & (horizons <= high)])
