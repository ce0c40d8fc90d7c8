"""Ranking within folds, against pair counting, scikit-learn and the plain test."""

import numpy as np
import pytest
from sklearn.metrics import auc as area
from sklearn.metrics import roc_auc_score, roc_curve

from glioma_os.errors import DataError
from glioma_os.survival.delong import delong
from glioma_os.survival.stratified import mean_roc, ranks_within, stratified_delong


def folds_on_different_scales(seed=0, n=120, folds=4, repeats=2, digits=1):
    rng = np.random.default_rng(seed)
    positive = np.tile(rng.random(n) < 0.4, repeats)
    repeat = np.repeat(np.arange(repeats), n)
    fold = np.concatenate([rng.integers(folds, size=n) for _ in range(repeats)])
    common = rng.normal(size=n * repeats) + positive
    first, second = (np.round(common + rng.normal(size=n * repeats) + 10.0 * fold, digits) for _ in range(2))
    return positive, first, second, repeat, fold


def by_counting(positive, score, repeat, fold):
    """Mean over repeats of the share of concordant pairs among those of the same fold."""
    values = []
    for number in np.unique(repeat):
        won = total = 0.0
        for i in np.flatnonzero(positive & (repeat == number)):
            for j in np.flatnonzero(~positive & (repeat == number) & (fold == fold[i])):
                won += (score[i] > score[j]) + 0.5 * (score[i] == score[j])
                total += 1
        values.append(won / total)
    return np.mean(values)


@pytest.mark.parametrize("digits", [0, 1, 6])
def test_the_area_under_the_mean_roc_is_the_share_of_pairs_of_the_same_fold(digits):
    positive, score, _, repeat, fold = folds_on_different_scales(digits=digits)
    found = mean_roc(positive, score, repeat, fold)
    assert np.isclose(area(*found), by_counting(positive, score, repeat, fold))
    assert np.all(np.diff(found.false_positive) >= 0) and np.all(np.diff(found.true_positive) >= -1e-12)
    assert (found.false_positive[0], found.true_positive[0]) == (0, 0) and np.isclose(found.true_positive[-1], 1)
    assert abs(roc_auc_score(positive, score) - area(*found)) > 0.1  # pooled risks say something else


def test_the_mean_roc_of_one_fold_is_scikit_learns():
    positive, score, _, _, _ = folds_on_different_scales(repeats=1)
    one = np.zeros(len(score))
    found = mean_roc(positive, score, one, one)
    x, y, _ = roc_curve(positive, score, drop_intermediate=False)
    assert np.array_equal(found.false_positive[1::2], np.unique(x))
    assert np.allclose(found.true_positive[1::2], [y[x == at].max() for at in np.unique(x)])
    assert np.allclose(found.true_positive[::2], [y[x == at].min() for at in np.unique(x)])


def test_delong_of_one_fold_is_the_plain_test_and_of_two_equal_repeats_too():
    positive, first, second, _, _ = folds_on_different_scales(repeats=1)
    plain, one = delong(positive, first, second), np.zeros(len(first))
    assert np.allclose(stratified_delong(positive, first, second, one, one), plain)
    twice = [np.concatenate([part, part]) for part in (positive, first, second)]
    found = stratified_delong(*twice, np.repeat([0, 1], len(first)), np.zeros(2 * len(first)))
    assert np.allclose(found, plain)


def test_delong_within_folds_combines_the_folds_by_their_pairs():
    positive, first, second, repeat, fold = folds_on_different_scales(repeats=1)
    found = stratified_delong(positive, first, second, repeat, fold)
    pairs, gaps, variances = [], [], []
    for k in range(4):
        own = fold == k
        test = delong(positive[own], first[own], second[own])
        pairs.append(positive[own].sum() * (~positive[own]).sum())
        gaps.append(test.difference)
        variances.append(((test.high - test.low) / 2 / 1.959963985) ** 2)
    share = np.array(pairs) / np.sum(pairs)
    assert np.isclose(found.difference, share @ gaps)
    assert np.isclose((found.high - found.low) / 2 / 1.959963985, np.sqrt(share**2 @ variances))
    assert np.isclose(found.first, by_counting(positive, first, repeat, fold))


def test_under_the_null_p_is_uniform_and_the_interval_covers():
    p, covered = [], 0
    for seed in range(300):
        found = stratified_delong(*folds_on_different_scales(seed, n=160, repeats=1, digits=6))
        p.append(found.p)
        covered += found.low <= 0 <= found.high
    assert 0.02 < np.mean(np.array(p) < 0.05) < 0.09 and 0.91 < covered / 300 < 0.98


def test_ranks_within_do_not_change_when_a_fold_is_rescaled():
    _, first, _, repeat, fold = folds_on_different_scales()
    strata = 10 * repeat + fold
    found = ranks_within(first, strata)
    assert np.allclose(found, ranks_within(np.where(fold == 1, 7 * first - 3, first), strata))
    assert ranks_within(np.array([3.0, 1, 2, 5, 5]), np.array(list("aaabb"))).tolist() == [5 / 6, 1 / 6, 0.5, 0.5, 0.5]


def test_no_fold_with_both_classes_is_an_error():
    with pytest.raises(DataError):
        mean_roc(np.array([1, 0], bool), np.array([1.0, 2.0]), np.zeros(2), np.arange(2))
    with pytest.raises(DataError):
        stratified_delong(np.array([1, 0, 0], bool), *np.ones((2, 3)), np.zeros(3), np.zeros(3))
