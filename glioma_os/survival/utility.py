"""Decision curves: net benefit of acting on a prediction."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from glioma_os.errors import DataError
from glioma_os.records import Array
from glioma_os.survival.curves import kaplan_meier


class DecisionCurve(NamedTuple):
    """Net benefit at each threshold probability: of the model, of treating all; treating none is 0."""

    thresholds: Array
    model: Array
    treat_all: Array


def _odds(thresholds: Array) -> Array:
    thresholds = np.asarray(thresholds, float)
    if not np.all((thresholds > 0) & (thresholds < 1)):
        raise DataError(
            "decision curve", f"thresholds {thresholds} found → values in (0, 1) expected", "Correct the thresholds"
        )
    return np.asarray(thresholds / (1 - thresholds))


def decision_curve(outcome: Array, probability: Array, thresholds: Array) -> DecisionCurve:
    """Net benefit = true positives/n − false positives/n · p/(1−p) (Vickers & Elkin 2006); thresholds in (0, 1)."""
    outcome, probability = np.asarray(outcome, bool), np.asarray(probability, float)
    thresholds, odds = np.asarray(thresholds, float), _odds(thresholds)
    treated = probability[None, :] >= thresholds[:, None]
    good, harm = (treated & outcome).mean(axis=1), (treated & ~outcome).mean(axis=1)
    share = outcome.mean()
    return DecisionCurve(thresholds, good - odds * harm, share - odds * (1 - share))


def censored_decision_curve(
    time: Array, event: Array, risk: Array, thresholds: Array, horizon_days: float
) -> DecisionCurve:
    """Net benefit of acting on predicted risks of death (n,) by the horizon, censored patients included.

    Deaths among those at or above a threshold come from their own Kaplan–Meier estimate (Vickers 2008, BMC Med Inform
    Decis Mak 8:53). NaN at a threshold where their follow-up ends before the horizon.
    """
    time, event, risk = np.asarray(time, float), np.asarray(event, bool), np.asarray(risk, float)
    odds = _odds(thresholds)
    treated = risk[None, :] >= np.asarray(thresholds, float)[:, None]
    died = np.array([_death_share(time[rows], event[rows], horizon_days) for rows in treated])
    everyone = _death_share(time, event, horizon_days)
    model = treated.mean(axis=1) * (died - odds * (1 - died))
    return DecisionCurve(np.asarray(thresholds, float), model, everyone - odds * (1 - everyone))


def _death_share(time: Array, event: Array, horizon_days: float) -> float:
    """1 − Kaplan–Meier at the horizon; 0 for nobody, NaN where the follow-up ends before the horizon."""
    if not len(time):
        return 0.0
    curve = kaplan_meier(time, event)
    if curve.times[-1] < horizon_days and curve.survival[-1] > 0:
        return float("nan")
    reached = np.searchsorted(curve.times, horizon_days, side="right")
    return 1 - float(np.append(1.0, curve.survival)[reached])
