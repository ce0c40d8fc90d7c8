"""What recalibration in a new cohort would give, measured on patients that did not take part in it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import logit
from sklearn.linear_model import LogisticRegression

from glioma_os.fusion.folds import grouped_folds
from glioma_os.fusion.results import Configuration, Truth
from glioma_os.records import Array
from glioma_os.survival.calibration import brier
from glioma_os.survival.curves import CurveCalibration
from glioma_os.survival.ipcw import integrated_brier

FOLDS = 5


class Updated(NamedTuple):
    """Brier score of P(short class) and integrated Brier score of the curves, before and after; NaN where undefined."""

    brier_before: float
    brier_after: float
    ibs_before: float
    ibs_after: float


def recalibrate(configuration: Configuration, truth: Truth, horizons_days: Array, seed: int = 0) -> Updated:
    """Logistic recalibration of P(short) and a Cox model of the risk for the curves, each fitted on four fifths of the
    new cohort's patients and applied to the last fifth. The ranking, and with it AUC and C, stays."""
    strata = truth.event * 2 + (truth.time > np.median(truth.time))
    fold = grouped_folds(truth.patient_ids, strata, FOLDS, seed)
    return Updated(*_classes(configuration, truth, fold), *_curves(configuration, truth, fold, horizons_days))


def _classes(configuration: Configuration, truth: Truth, fold: Array) -> tuple[float, float]:
    probabilities, known = configuration.table.probabilities, truth.classes >= 0
    if probabilities is None or probabilities.shape[1] != 2:
        return float("nan"), float("nan")
    updated, short = probabilities.copy(), truth.classes == 0
    score = logit(np.clip(probabilities[:, 0], 1e-6, 1 - 1e-6))
    for k in range(FOLDS):
        fit = known & (fold != k)
        if short[fit].all() or not short[fit].any():
            return float("nan"), float("nan")
        # One pseudo-patient's worth of penalty: a separated cohort stays finite.
        model = LogisticRegression(C=1.0).fit(score[fit, None], short[fit], truth.weights[fit])
        updated[fold == k, 0] = model.predict_proba(score[fold == k, None])[:, 1]
    updated[:, 1] = 1 - updated[:, 0]
    weights = truth.weights[None, known]
    before, after = (float(brier(truth.classes[known], p[known], weights)[0]) for p in (probabilities, updated))
    return before, after


def _curves(configuration: Configuration, truth: Truth, fold: Array, horizons_days: Array) -> tuple[float, float]:
    table = configuration.table
    if table.curves is None or table.horizons_days is None or len(horizons_days) < 2:
        return float("nan"), float("nan")
    curves, ones = table.curves[:, np.isin(table.horizons_days, horizons_days)], np.ones((1, len(truth.time)))
    updated = np.empty_like(curves)
    for k in range(FOLDS):
        fit = CurveCalibration.fit(table.risk[fold != k], truth.time[fold != k], truth.event[fold != k])
        updated[fold == k] = fit.survival(table.risk[fold == k], horizons_days)
    before, after = (
        float(integrated_brier(truth.time, truth.event, part, horizons_days, ones)[0]) for part in (curves, updated)
    )
    return before, after
