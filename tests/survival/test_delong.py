"""DeLong's covariance by its definition, and its test by simulation."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from glioma_os.errors import DataError
from glioma_os.survival.delong import auc_covariance, delong

# DeLong, DeLong & Clarke-Pearson 1988: albumin, total protein, K-G score, surgery helped; data and results as printed
# in the SAS/STAT User's Guide, PROC LOGISTIC, "Comparing Receiver Operating Characteristic Curves".
OVARIAN = """
3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0  2.5 5.7 8 0  1.6 5.6 5 1
3.8 5.7 5 1   3.7 6.7 6 1  3.2 5.4 4 1  3.8 6.6 6 1  4.1 6.6 5 1  3.6 5.7 5 1  4.3 7.0 4 1  3.6 6.7 4 0
2.3 4.4 6 1   4.2 7.6 4 0  4.0 6.6 6 0  3.5 5.8 6 1  3.8 6.8 7 1  3.0 4.7 8 0  4.5 7.4 5 1  3.7 7.4 5 1
3.1 6.6 6 1   4.1 8.2 6 1  4.3 7.0 5 1  4.3 6.5 4 1  3.2 5.1 5 1  2.6 4.7 6 1  3.3 6.8 6 0  1.7 4.0 7 0
3.7 6.1 5 1   3.3 6.3 7 1  4.2 7.7 6 1  3.5 6.2 5 1  2.9 5.7 9 0  2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1
3.3 5.7 6 1   3.7 6.9 5 1  3.6 6.6 5 1
"""
# A small set with ties within and across classes.
POSITIVE = np.array([1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0], bool)
FIRST = np.array([5, 4, 4, 2, 3, 3, 1, 2, 2, 1, 4], float)
SECOND = np.array([3, 5, 2, 4, 4, 1, 1, 3, 2, 2, 2], float)


def by_definition(positive, scores):
    """DeLong 1988, equations 3 to 6."""

    def kernel(x, y):
        return 1.0 if x > y else 0.5 if x == y else 0.0

    table = [[[kernel(x, y) for y in s[~positive]] for x in s[positive]] for s in scores]
    psi = np.array(table)
    v10, v01 = psi.mean(axis=2), psi.mean(axis=1)
    return psi.mean(axis=(1, 2)), np.cov(v10) / positive.sum() + np.cov(v01) / (~positive).sum()


def test_the_published_ovarian_example():
    table = np.array(OVARIAN.split(), float).reshape(-1, 4)
    positive, scores = table[:, 3] == 1, np.stack([table[:, 0], table[:, 1], 10 - table[:, 2]])
    assert (len(positive), positive.sum()) == (43, 31)
    aucs, covariance = auc_covariance(positive, scores)
    assert np.allclose(aucs, [0.7366, 0.6478, 0.7258], atol=5e-5)
    assert np.allclose(np.sqrt(np.diag(covariance)), [0.0927, 0.1000, 0.1028], atol=5.1e-5)


def test_the_fast_form_is_the_definition():
    scores = np.stack([FIRST, SECOND])
    aucs, covariance = auc_covariance(POSITIVE, scores)
    expected = by_definition(POSITIVE, scores)
    assert np.allclose(aucs, expected[0]) and np.allclose(covariance, expected[1])
    assert np.allclose(aucs, [roc_auc_score(POSITIVE, s) for s in scores])


def test_under_the_null_p_is_uniform_and_the_interval_covers():
    rng = np.random.default_rng(0)
    p, covered = [], 0
    for _ in range(600):
        positive = np.arange(100) < 40
        common = rng.normal(size=100) + 0.8 * positive
        found = delong(positive, common + rng.normal(size=100), common + rng.normal(size=100))
        p.append(found.p)
        covered += found.low <= 0 <= found.high
    assert 0.03 < np.mean(np.array(p) < 0.05) < 0.075 and 0.925 < covered / 600 < 0.97
    assert 0.45 < np.mean(p) < 0.55


def test_equal_scores_do_not_differ_and_too_few_are_refused():
    same = delong(POSITIVE, FIRST, FIRST)
    assert (same.difference, same.p) == (0.0, 1.0)
    with pytest.raises(DataError):
        delong(np.arange(5) < 1, np.arange(5.0), np.arange(5.0))
