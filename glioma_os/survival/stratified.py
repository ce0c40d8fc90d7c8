"""Ranking within outer folds: risks of different folds come from different models and are not on one scale."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import norm, rankdata

from glioma_os.errors import DataError
from glioma_os.records import Array
from glioma_os.survival.delong import Delong, auc_covariance


class Roc(NamedTuple):
    """False- and true-positive rates (points,), both rising from 0 to 1."""

    false_positive: Array
    true_positive: Array


def _number_labels(labels: Array) -> Array:
    return np.unique(np.asarray(labels), return_inverse=True)[1]


def ranks_within(risk: Array, strata: Array) -> Array:
    """Share of the patients of the same stratum (n,) with a lower risk, ties and the patient half: in (0, 1)."""
    risk, strata = np.asarray(risk, float), _number_labels(strata)
    out = np.empty(len(risk))
    for stratum in np.unique(strata):
        own = strata == stratum
        out[own] = (rankdata(risk[own]) - 0.5) / own.sum()
    return out


def _weighted_folds(positive: Array, repeat: Array, fold: Array, least: int) -> list[tuple[Array, float, int]]:
    """Rows, weight and repeat number of each fold with at least `least` patients of both classes. A fold's weight is
    its share of the (positive, negative) pairs of its repeat; every repeat weighs the same."""
    repeat, fold = _number_labels(repeat), _number_labels(fold)
    found = []
    for number in np.unique(repeat):
        for stratum in np.unique(fold[repeat == number]):
            rows = (repeat == number) & (fold == stratum)
            n = int(positive[rows].sum())
            if min(n, int(rows.sum()) - n) >= least:
                found.append((rows, float(n * (rows.sum() - n)), int(number)))
    if not found:
        raise DataError(
            "ranking within folds", f"no fold with {least} or more patients of each class", "Use fewer folds"
        )
    total = {number: sum(pairs for _, pairs, own in found if own == number) for _, _, number in found}
    return [(rows, pairs / total[number] / len(total), number) for rows, pairs, number in found]


def _roc_points(positive: Array, score: Array) -> tuple[Array, Array]:
    """ROC of one fold: a point for each distinct score, from (0, 0) to (1, 1)."""
    distinct, place = np.unique(-score, return_inverse=True)
    yes = np.bincount(place, weights=positive, minlength=len(distinct))
    no = np.bincount(place, weights=~positive, minlength=len(distinct))
    return np.append(0.0, no.cumsum() / no.sum()), np.append(0.0, yes.cumsum() / yes.sum())


def _limits(x: Array, y: Array, at: Array) -> tuple[Array, Array]:
    """Height of a polyline with vertical parts just left and just right of `at`."""
    first, last = np.searchsorted(x, at, side="left"), np.searchsorted(x, at, side="right") - 1
    on_point = x[np.minimum(first, len(x) - 1)] == at
    between = np.interp(at, x, y)
    return np.where(on_point, y[np.minimum(first, len(x) - 1)], between), np.where(on_point, y[last], between)


def mean_roc(positive: Array, score: Array, repeat: Array, fold: Array) -> Roc:
    """Vertical average (Fawcett 2006, §9.1) of the folds' ROC curves, weighted by their (positive, negative) pairs.

    Repeats weigh the same, so the area is the mean over repeats of the AUC among pairs of the same fold. Folds with
    one class are left out; none with both is a DataError.
    """
    positive, score = np.asarray(positive, bool), np.asarray(score, float)
    folds = _weighted_folds(positive, repeat, fold, 1)
    curves = [(weight, *_roc_points(positive[rows], score[rows])) for rows, weight, _ in folds]
    at = np.unique(np.concatenate([x for _, x, _ in curves]))
    sides = [np.stack(_limits(x, y, at), axis=1) * weight for weight, x, y in curves]
    return Roc(np.repeat(at, 2), np.sum(sides, axis=0).ravel())


def stratified_delong(
    positive: Array, first: Array, second: Array, repeat: Array, fold: Array, level: float = 0.95
) -> Delong:
    """DeLong's paired test of `first` − `second` among patients of the same fold, all arrays (n,).

    Within a repeat the folds are independent: the difference is Σ w·d and its variance Σ w²·var, w a fold's share of
    the (positive, negative) pairs. Over repeats both are averaged: repeats share patients, and the mean of their
    variances bounds the variance of their mean. Folds with fewer than two patients of a class are left out; none
    left is a DataError. With one repeat of one fold it is DeLong's test itself.
    """
    positive = np.asarray(positive, bool)
    scores = np.stack([np.asarray(first, float), np.asarray(second, float)])
    folds = _weighted_folds(positive, repeat, fold, 2)
    repeats = len({number for _, _, number in folds})
    aucs, variance = np.zeros(2), 0.0
    for rows, weight, _ in folds:
        own, covariance = auc_covariance(positive[rows], scores[:, rows])
        aucs += weight * own
        # `weight` holds 1 / repeats: its square times the repeats is the mean over repeats of the squared share.
        variance += weight**2 * repeats * float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    se, gap = float(np.sqrt(max(variance, 0.0))), float(aucs[0] - aucs[1])
    reach = float(norm.ppf(0.5 + level / 2)) * se
    p = float(2 * norm.sf(abs(gap) / se)) if se > 1e-12 else float(abs(gap) < 1e-12)
    return Delong(float(aucs[0]), float(aucs[1]), gap, gap - reach, gap + reach, p)
