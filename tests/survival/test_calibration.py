import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss

from glioma_os.errors import DataError
from glioma_os.survival.calibration import brier, d_calibration, recalibration, reliability, wilson
from glioma_os.survival.curves import median_days
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
        assert np.isclose(brier(truth, p, np.ones((1, len(truth))))[0], expected)


def test_perfect_separation_is_an_infinite_slope_and_a_finite_intercept():
    rising = np.array([0.1, 0.2, 0.8, 0.9])
    for probability, sign in ((rising, 1), (rising[::-1], -1), (np.array([0.1, 0.5, 0.5, 0.9]), 1)):
        found = recalibration(probability, np.array([0, 0, 1, 1]))
        assert found.slope == sign * np.inf and np.isfinite(found.intercept)
    rng = np.random.default_rng(0)
    outcome = np.arange(60) % 2
    found = recalibration(np.where(outcome, 0.7, 0.3) + rng.uniform(-0.1, 0.1, 60), outcome)
    assert found.slope == np.inf and abs(found.intercept) < 0.2


def test_one_row_of_overlap_is_estimable_on_every_scale():
    probability, outcome = np.linspace(0.3, 0.7, 60), np.arange(60) >= 30
    outcome[[29, 30]] = True, False
    expected = LogisticRegression(C=np.inf, tol=1e-12, max_iter=10000)
    score = np.log(probability / (1 - probability))
    expected.fit((score / score.std())[:, None], outcome)
    found = recalibration(probability, outcome)
    assert np.isclose(found.slope, expected.coef_[0, 0] / score.std(), rtol=1e-3)
    close = recalibration(0.5 + 1e-6 * (probability - 0.5), outcome)
    assert np.isfinite(close.slope) and close.slope > 1e5


def test_without_spread_or_with_one_outcome_the_slope_is_undefined():
    constant = recalibration(np.full(4, 0.4), np.array([0, 0, 1, 1]))
    assert np.isnan(constant.slope) and np.isclose(constant.intercept, -np.log(0.4 / 0.6))
    for outcome, sign in ((1, 1), (0, -1)):
        found = recalibration(np.array([0.1, 0.9]), np.full(2, outcome))
        assert np.isnan(found.slope) and found.intercept == sign * np.inf


def test_no_row_is_an_error():
    for measure in (recalibration, reliability):
        with pytest.raises(DataError):
            measure(np.empty(0), np.empty(0))


def test_d_calibration_of_the_true_law_is_flat_and_of_a_wrong_one_is_not():
    rng = np.random.default_rng(0)
    time, end = rng.exponential(300, 4000), rng.exponential(500, 4000)
    event, seen = time <= end, np.minimum(time, end)
    right = d_calibration(np.exp(-seen / 300), event)
    assert np.isclose(right.shares.sum(), 1) and right.p > 0.01 and np.allclose(right.shares, 0.1, atol=0.02)
    assert d_calibration(np.exp(-seen / 200), event).p < 1e-6
    uncensored = d_calibration(np.array([0.05, 0.15, 0.95, 1.0]), np.ones(4, bool))
    assert uncensored.shares.tolist() == [0.25, 0.25, 0, 0, 0, 0, 0, 0, 0, 0.5]


def test_median_days_crosses_one_half():
    days = np.array([100.0, 200.0, 400.0])
    curves = np.array([[0.8, 0.4, 0.1], [0.4, 0.2, 0.1], [0.9, 0.8, 0.7], [0.5, 0.4, 0.2]])
    assert np.allclose(median_days(curves, days), [175, 100 * 0.5 / 0.6, 400, 100])
