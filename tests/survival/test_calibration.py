import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss

from glioma_os.errors import DataError, TrainingError
from glioma_os.survival.calibration import brier, recalibration, reliability, wilson
from tests.survival.oracles import proportion_confint


def predictions(seed=0, n=400):
    rng = np.random.default_rng(seed)
    probability = rng.uniform(0.05, 0.95, n)
    return probability, rng.uniform(size=n) < probability


def test_wilson_equals_statsmodels():
    yes, n = np.array([0, 3, 10, 20]), np.array([5, 17, 12, 20])
    low, high = wilson(yes, n)
    expected = proportion_confint(yes, n, method="wilson")
    assert np.allclose(low, expected[0], atol=1e-12) and np.allclose(high, expected[1], atol=1e-12)


def test_slope_equals_unpenalised_logistic_regression():
    probability, happened = predictions()
    score = np.log(probability / (1 - probability))[:, None]
    model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(score, happened)
    assert np.isclose(recalibration(probability, happened).slope, model.coef_[0, 0], atol=1e-5)


def test_shifted_predictions_show_in_the_intercept():
    probability, happened = predictions(n=20000)
    found = recalibration(probability, happened)
    assert abs(found.intercept) < 0.1 and abs(found.slope - 1) < 0.1
    shifted = 1 / (1 + np.exp(-np.log(probability / (1 - probability)) - 1))
    assert np.isclose(recalibration(shifted, happened).intercept, found.intercept - 1, atol=0.02)


def test_reliability_counts_everyone_once_and_merges_equal_bins():
    probability, happened = predictions()
    curve = reliability(probability, happened)
    assert curve.n.sum() == len(probability) and len(curve.n) == 10
    assert np.all((curve.low <= curve.observed) & (curve.observed <= curve.high))
    assert len(reliability(np.full(30, 0.4), np.arange(30) % 2).n) == 1


def test_brier_equals_scikit_learn():
    rng = np.random.default_rng(1)
    for n_classes in (2, 3):
        truth, p = rng.integers(0, n_classes, 50), rng.dirichlet(np.ones(n_classes), 50)
        expected = brier_score_loss(truth, p[:, 1] if n_classes == 2 else p)
        assert np.isclose(brier(truth, p), expected)


def test_impossible_recalibrations_are_errors():
    with pytest.raises(DataError):
        recalibration(np.array([0.1, 0.9]), np.ones(2))
    with pytest.raises(TrainingError):
        recalibration(np.array([0.1, 0.2, 0.8, 0.9]), np.array([0, 0, 1, 1]))
    with pytest.raises(DataError):
        reliability(np.empty(0), np.empty(0))
