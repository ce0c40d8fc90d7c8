"""Calibration of a predicted risk of death by one horizon where some patients are censored before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import norm

from glioma_os.errors import ConfigError, DataError, TrainingError
from glioma_os.records import Array
from glioma_os.survival.calibration import Reliability, wilson
from glioma_os.survival.curves import Baseline, kaplan_meier
from glioma_os.survival.ipcw import supported_horizons
from glioma_os.survival.likelihoods import cox_log_likelihood, fit_cox
from glioma_os.survival.splines import quantile_knots, restricted_cubic_basis

REPORT_DAYS = 365.0
_RIDGE = 1e-3  # of a pseudo-patient, on unit-variance columns: keeps the curve of separated deaths finite


class ObservedExpected(NamedTuple):
    """Observed risk by the horizon (Kaplan–Meier), mean predicted risk, and their ratio with its interval (1 is ideal).

    `observed − expected` is the mean calibration (0 is ideal).
    """

    observed: float
    expected: float
    ratio: float
    low: float
    high: float


class Slope(NamedTuple):
    """Calibration slope with its Wald interval (1 is ideal); ±inf and NaN as in `calibration.Recalibration`."""

    value: float
    low: float
    high: float


class CalibrationCurve(NamedTuple):
    """Observed risk (points,) as a smooth function of the predicted one, its pointwise band, and the integrated
    calibration index: the mean |observed − predicted| over the patients."""

    predicted: Array
    observed: Array
    low: Array
    high: Array
    integrated_index: float


def report_horizon(horizons_days: Array, time: Array) -> float | None:
    """The horizon to report: 365 days if it is there and supported by the follow-up, else the middle supported one.

    None where no horizon lies between the 10 and 90 % quantiles of the follow-up.
    """
    supported = np.sort(supported_horizons(horizons_days, time))
    if not len(supported):
        return None
    return REPORT_DAYS if REPORT_DAYS in supported else float(supported[len(supported) // 2])


def _risk_by(time: Array, event: Array, horizon_days: float, level: float) -> tuple[float, float, float]:
    """1 − Kaplan–Meier at the horizon with its log-log interval; NaN where the follow-up ends before it.

    Where everybody or nobody died the log-log interval has no width: Wilson's stands in, of the deaths or of those
    still at risk at the horizon.
    """
    curve = kaplan_meier(time, event, level)
    if curve.times[-1] < horizon_days and curve.survival[-1] > 0:
        return float("nan"), float("nan"), float("nan")
    place = int(np.searchsorted(curve.times, horizon_days, side="right")) - 1
    risk = 1 - float(curve.survival[place]) if place >= 0 else 0.0
    if 0 < risk < 1:
        return risk, 1 - float(curve.high[place]), 1 - float(curve.low[place])
    n = np.sum(event) if risk == 1 else np.sum(np.asarray(time) >= horizon_days)
    low, high = wilson(np.array([risk * n]), np.array([n]), level)
    return risk, float(low[0]), float(high[0])


def observed_expected(
    time: Array, event: Array, risk: Array, horizon_days: float, level: float = 0.95
) -> ObservedExpected:
    """Observed:expected ratio of predicted risks of death (n,) by the horizon.

    The interval is that of Kaplan–Meier, the predictions held fixed. A follow-up that ends before the horizon is a
    DataError.
    """
    observed, low, high = _risk_by(time, event, horizon_days, level)
    if np.isnan(observed):
        raise DataError(
            "observed:expected ratio", f"the follow-up ends at {np.max(time):g} days, the horizon is {horizon_days:g}",
            "Use an earlier horizon",
        )  # fmt: skip
    expected = float(np.mean(risk))
    if expected <= 0:
        raise DataError("observed:expected ratio", "no predicted risk above 0", "Check the predictions")
    return ObservedExpected(observed, expected, observed / expected, low / expected, high / expected)


def _log_minus_log(risk: Array) -> Array:
    """log(−log S) of predicted risks, held 1e-6 away from 0 and 1."""
    return np.asarray(np.log(-np.log1p(-np.clip(np.asarray(risk, float), 1e-6, 1 - 1e-6))))


def _censored_at(time: Array, event: Array, horizon_days: float) -> tuple[Array, Array]:
    """Times and events with everybody alive at the horizon censored there."""
    time = np.asarray(time, float)
    return np.minimum(time, horizon_days), np.asarray(event, bool) & (time <= horizon_days)


def _separation(score: Array, time: Array, event: Array) -> float:
    """inf where everyone who dies has the highest score of those at risk, −inf the lowest, NaN where both hold (the
    deaths say nothing about the slope), 0 where the slope is finite."""
    order = np.argsort(-time, kind="stable")
    last = np.searchsorted(-time[order], -time[order], side="right") - 1
    died = event[order]
    highest, lowest = (np.array(f.accumulate(score[order]))[last] for f in (np.maximum, np.minimum))
    own = score[order][died]
    rising, falling = bool(np.all(own >= highest[died])), bool(np.all(own <= lowest[died]))
    if rising and falling:
        return float("nan")
    return float("inf") if rising else float("-inf") if falling else 0.0


def calibration_slope(time: Array, event: Array, risk: Array, horizon_days: float, level: float = 0.95) -> Slope:
    """Coefficient of log(−log S(t | x)) in a Cox model of the deaths until the horizon (Austin 2020; McLernon 2023).

    Patients are censored at the horizon. No death until then is a DataError.
    """
    time, event = _censored_at(time, event, horizon_days)
    if not event.any():
        raise DataError("calibration slope", f"no death by day {horizon_days:g}", "Use a later horizon")
    score = _log_minus_log(risk)
    spread = float(score.std())
    without_estimate = float("nan") if np.ptp(score) == 0 else _separation(score, time, event)
    if without_estimate != 0:
        return Slope(without_estimate, float("nan"), float("nan"))
    column = (score - score.mean()) / spread
    slope = float(fit_cox(column[:, None], time, event)[0])
    step = 1e-4

    def gradient(beta: float) -> float:
        return float(column @ cox_log_likelihood(column * beta, time, event).gradient)

    information = (gradient(slope - step) - gradient(slope + step)) / (2 * step)
    if not information > 0:  # nearly separated: the likelihood is flat there
        return Slope(slope / spread, float("nan"), float("nan"))
    reach = norm.ppf(0.5 + level / 2) / np.sqrt(information)
    return Slope(*(float(value) / spread for value in (slope, slope - reach, slope + reach)))


def _smooth(score: Array, time: Array, event: Array, knots: Array, at: Array, horizon_days: float) -> Array:
    """Risk by the horizon at scores `at`, from a Cox model of a restricted cubic spline of `score` (n,)."""
    basis, wanted = (restricted_cubic_basis(values, knots) for values in (score, at))
    mean, sd = basis.mean(axis=0), basis.std(axis=0)
    sd = np.where(sd > 0, sd, 1.0)
    basis, wanted = (basis - mean) / sd, (wanted - mean) / sd
    beta = fit_cox(basis, time, event, l2=_RIDGE)
    return 1 - Baseline.fit(time, event, basis @ beta).survival(wanted @ beta, np.array([horizon_days]))[:, 0]


def calibration_curve(
    time: Array, event: Array, risk: Array, horizon_days: float, points: int = 50, replicates: int = 200,
    seed: int = 0, level: float = 0.95,
) -> CalibrationCurve:  # fmt: skip
    """Flexible calibration curve (Austin, Harrell & van Klaveren 2020, Stat Med 39:2714) of risks (n,) by the horizon.

    A Cox model of the deaths until the horizon on a restricted cubic spline (3 knots at the 10, 50 and 90 % quantiles)
    of log(−log S(t | x)), read between the 2.5 and 97.5 % quantiles of the prediction. The band holds the middle
    `level` of as many curves refitted to bootstrap samples of the patients; a sample without a fit is left out.
    """
    time, event = _censored_at(time, event, horizon_days)
    if not event.any():
        raise DataError("calibration curve", f"no death by day {horizon_days:g}", "Use a later horizon")
    score = _log_minus_log(risk)
    knots = quantile_knots(score)
    lowest, highest = np.quantile(np.asarray(risk, float), [0.025, 0.975])
    grid = np.linspace(lowest, highest, points)
    at = _log_minus_log(grid)
    own = _smooth(score, time, event, knots, np.concatenate([at, score]), horizon_days)
    rng, curves = np.random.default_rng(seed), []
    for _ in range(replicates):
        rows = rng.integers(len(time), size=len(time))
        try:
            curves.append(_smooth(score[rows], time[rows], event[rows], knots, at, horizon_days))
        except (DataError, TrainingError):
            continue
    low, high = (
        np.quantile(curves, [0.5 - level / 2, 0.5 + level / 2], axis=0) if curves else np.full((2, points), np.nan)
    )
    index = float(np.mean(np.abs(own[points:] - np.asarray(risk, float))))
    return CalibrationCurve(grid, own[:points], low, high, index)


def grouped_calibration(
    time: Array, event: Array, risk: Array, horizon_days: float, bins: int = 5, level: float = 0.95
) -> Reliability:
    """Mean predicted risk and Kaplan–Meier risk with its log-log interval in quantile groups of the prediction.

    A group whose follow-up ends before the horizon is left out.
    """
    time, event, risk = np.asarray(time, float), np.asarray(event, bool), np.asarray(risk, float)
    edges = np.unique(np.quantile(risk, np.linspace(0, 1, bins + 1)[1:-1]))
    place = np.searchsorted(edges, risk, side="right")
    rows = []
    for group in np.unique(place):
        own = place == group
        observed = _risk_by(time[own], event[own], horizon_days, level)
        if not np.isnan(observed[0]):
            rows.append((risk[own].mean(), *observed, own.sum()))
    return Reliability(*np.array(rows).reshape(-1, 5).T)


def horizons_beyond(days: Sequence[float], last_follow_up_days: float) -> list[float]:
    """The horizons at or beyond the last follow-up, where no curve can be evaluated; a ConfigError if all are."""
    beyond = [day for day in days if day >= last_follow_up_days]
    if beyond and len(beyond) == len(days):
        raise ConfigError(
            "validation.horizons_days",
            f"{', '.join(f'{day:g}' for day in days)} found → days before the last follow-up of the eligible patients, "
            f"{last_follow_up_days:g}, expected",
            "Correct the days, or set validation.horizons_days=[]",
        )
    return beyond
