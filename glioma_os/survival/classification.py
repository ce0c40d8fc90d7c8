"""Discrimination and agreement of class predictions. Weights (B, n): one row per replicate."""

from __future__ import annotations

import numpy as np

from glioma_os.records import Array


def ratio(part: Array, whole: Array) -> Array:
    """part / whole, NaN where the whole is 0."""
    return np.asarray(
        np.divide(part, whole, out=np.full(np.broadcast_shapes(part.shape, whole.shape), np.nan), where=whole > 0)
    )


def strata_of(strata: Array | None, n: int) -> list[Array]:
    """Row indices of each stratum; all n rows are one stratum where none is given."""
    if strata is None:
        return [np.arange(n)]
    return [np.flatnonzero(strata == value) for value in np.unique(strata)]


def _pairs(positive: Array, score: Array, weights: Array) -> tuple[Array, Array]:
    """Weight of the concordant (positive, negative) pairs, ties ½, and of all pairs, (B,) each."""
    difference = score[positive, None] - score[None, ~positive]
    concordant = (difference > 0) + 0.5 * (difference == 0)
    of_positive, of_negative = weights[:, positive], weights[:, ~positive]
    total = of_positive.sum(axis=1) * of_negative.sum(axis=1)
    return np.einsum("bj,bj->b", of_positive @ concordant, of_negative), total


def auc(positive: Array, score: Array, weights: Array, strata: Array | None = None) -> Array:
    """Area under the ROC curve, ties ½, (B,); NaN where a replicate lacks a pair of a positive and a negative.

    With `strata` (n,) only pairs within a stratum count, each pair alike (Airola 2011, "averaging" over folds).
    """
    positive, score = np.asarray(positive, bool), np.asarray(score, float)
    parts = [_pairs(positive[own], score[own], weights[:, own]) for own in strata_of(strata, len(score))]
    return ratio(*(np.sum(part, axis=0) for part in zip(*parts, strict=True)))


def macro_auc(classes: Array, probabilities: Array, weights: Array, strata: Array | None = None) -> Array:
    """Mean one-versus-rest AUC over the classes, (B,); NaN where a replicate lacks one of them."""
    n_classes = probabilities.shape[1]
    return np.asarray(
        np.mean([auc(classes == k, probabilities[:, k], weights, strata) for k in range(n_classes)], axis=0)
    )


def confusion(classes: Array, predicted: Array, n_classes: int, weights: Array) -> Array:
    """Weighted counts (B, true class, predicted class)."""
    cells = np.eye(n_classes * n_classes)[np.asarray(classes) * n_classes + np.asarray(predicted)]
    return np.asarray((weights @ cells).reshape(-1, n_classes, n_classes))


def accuracy(matrix: Array) -> Array:
    """Share on the diagonal, (B,)."""
    return np.asarray(np.trace(matrix, axis1=1, axis2=2) / matrix.sum(axis=(1, 2)))


def balanced_accuracy(matrix: Array) -> Array:
    """Mean recall over the classes, (B,); NaN where a replicate lacks a class."""
    return np.asarray(ratio(np.diagonal(matrix, axis1=1, axis2=2), matrix.sum(axis=2)).mean(axis=1))


def _f1(matrix: Array) -> Array:
    """F1 of each class, (B, classes); 0 for a class neither seen nor predicted."""
    hits = np.diagonal(matrix, axis1=1, axis2=2)
    return np.asarray(np.nan_to_num(ratio(2 * hits, matrix.sum(axis=1) + matrix.sum(axis=2))))


def f1_macro(matrix: Array) -> Array:
    """Plain mean of the classes' F1, (B,); NaN where a replicate lacks a class."""
    missing = (matrix.sum(axis=2) == 0).any(axis=1)
    return np.where(missing, np.nan, _f1(matrix).mean(axis=1))


def f1_weighted(matrix: Array) -> Array:
    """Mean of the classes' F1 weighted by how many truly belong to each, (B,)."""
    return np.asarray(np.sum(_f1(matrix) * matrix.sum(axis=2), axis=1) / matrix.sum(axis=(1, 2)))


def _ranks(values: Array, weights: Array) -> Array:
    """Mid-ranks (B, n) that `values` take in the sample where each row stands as often as its weight says."""
    distinct, place = np.unique(values, return_inverse=True)
    order = np.argsort(place, kind="stable")
    starts = np.searchsorted(place[order], np.arange(len(distinct)))
    held = np.add.reduceat(weights[:, order], starts, axis=1)
    return (np.cumsum(held, axis=1) - held / 2 + 0.5)[:, place]


def spearman(first: Array, second: Array, weights: Array, strata: Array | None = None) -> Array:
    """Rank correlation, (B,); 0 where one side is constant (it ranks nobody), NaN for fewer than two rows.

    With `strata` (n,) the mean of the strata's correlations, each weighted by its rows.
    """
    parts = [_spearman(first[own], second[own], weights[:, own]) for own in strata_of(strata, len(first))]
    values, totals = np.array(parts), np.array([weights[:, own].sum(axis=1) for own in strata_of(strata, len(first))])
    usable = ~np.isnan(values)
    return ratio(np.where(usable, values * totals, 0.0).sum(axis=0), (usable * totals).sum(axis=0))


def _spearman(first: Array, second: Array, weights: Array) -> Array:
    a, b = _ranks(np.asarray(first, float), weights), _ranks(np.asarray(second, float), weights)
    total = np.maximum(weights.sum(axis=1, keepdims=True), 1e-12)
    a = a - (weights * a).sum(axis=1, keepdims=True) / total
    b = b - (weights * b).sum(axis=1, keepdims=True) / total
    spread = np.sqrt((weights * a * a).sum(axis=1) * (weights * b * b).sum(axis=1))
    together = (weights * a * b).sum(axis=1)
    value = np.divide(together, spread, out=np.zeros(len(weights)), where=spread > 1e-9 * total[:, 0] ** 3)
    return np.where(total[:, 0] < 2, np.nan, value)
