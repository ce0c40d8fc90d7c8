"""DeLong's covariance by its definition, and its test by simulation."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from glioma_os.errors import DataError
from glioma_os.survival.delong import auc_covariance, delong

# Hanley & Hajian-Tilaki 1997, table 1: two modalities' ratings of 8 normal and 8 abnormal cases are not reprinted here;
# the small set below has ties within and across classes and is checked against the definition, cell by cell.
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
