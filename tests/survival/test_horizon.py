"""Calibration at a horizon against statsmodels, scikit-survival, counting, and simulations with a known answer."""

import numpy as np
import pytest
from scipy.interpolate import CubicSpline
from sklearn.preprocessing import StandardScaler

from glioma_os.errors import DataError
from glioma_os.survival.calibration import wilson
from glioma_os.survival.horizon import (
    calibration_curve,
    calibration_slope,
    grouped_calibration,
    observed_expected,
    report_horizon,
)
from glioma_os.survival.splines import quantile_knots, restricted_cubic_basis
from tests.survival.oracles import CoxPHSurvivalAnalysis, PHReg, Surv, kaplan_meier_estimator
from tests.survival.samples import censored

HORIZON = 365.0


def simulated(seed=0, n=400, shift=0.0, stretch=1.0, end=1500.0):
    """Exponential times; predictions right for shift 0 and stretch 1, else off on the log(−log S) scale."""
    rng = np.random.default_rng(seed)
    score = rng.normal(0, 0.8, n)
    time, censoring = rng.exponential(400 * np.exp(-score)), rng.uniform(0, end, n)
    risk = 1 - np.exp(-np.exp(stretch * score + np.log(HORIZON / 400) + shift))
    return np.minimum(time, censoring), time <= censoring, risk


def test_observed_risk_equals_scikit_survival_and_the_share_where_nobody_is_censored():
    time, event, risk = simulated()
    found = observed_expected(time, event, risk, HORIZON)
    times, alive = kaplan_meier_estimator(event, time)
    assert np.isclose(found.observed, 1 - alive[times <= HORIZON][-1]) and np.isclose(found.expected, risk.mean())
    assert np.isclose(found.ratio, found.observed / risk.mean()) and found.low < found.ratio < found.high
    everyone = observed_expected(time, np.ones(400, bool), risk, HORIZON)
    share = np.mean(time <= HORIZON)
    assert np.isclose(everyone.observed, share)
    low, high = wilson(np.array([share * 400]), np.array([400]))
    assert np.allclose([everyone.low, everyone.high], [low[0] / risk.mean(), high[0] / risk.mean()], rtol=0.02)


def test_the_interval_of_the_ratio_covers_one_for_right_predictions():
    found = [observed_expected(*simulated(seed, n=150), HORIZON) for seed in range(200)]
    assert 0.9 < np.mean([f.low <= 1 <= f.high for f in found]) < 0.99


def test_too_short_a_follow_up_and_no_deaths_are_refused():
    time, event, risk = simulated()
    event[np.argmax(time)] = False
    with pytest.raises(DataError, match="follow-up ends"):
        observed_expected(time, event, risk, 3000)
    for measure in (calibration_slope, calibration_curve):
        with pytest.raises(DataError, match="no death"):
            measure(time, np.zeros(400, bool), risk, HORIZON)
    early = observed_expected(np.array([400.0, 500.0]), np.ones(2, bool), np.array([0.2, 0.2]), HORIZON)
    late = observed_expected(np.array([100.0, 200.0]), np.ones(2, bool), np.array([0.5, 0.5]), HORIZON)
    for found, deaths, expected in ((early, 0, 0.2), (late, 2, 0.5)):
        low, high = wilson(np.array([deaths]), np.array([2]))
        assert np.allclose(found[2:], [deaths / 2 / expected, low[0] / expected, high[0] / expected])


def test_slope_and_interval_equal_statsmodels():
    time, event, risk = simulated(1)
    score = np.log(-np.log1p(-risk))
    until, died = np.minimum(time, HORIZON), event & (time <= HORIZON)
    model = PHReg(until, score[:, None], status=died.astype(int), ties="efron").fit()
    found = calibration_slope(time, event, risk, HORIZON)
    assert np.isclose(found.value, model.params[0], atol=1e-6)
    assert np.allclose([found.low, found.high], model.conf_int()[0], atol=1e-4)


def test_slope_finds_the_stretch_and_covers():
    assert abs(calibration_slope(*simulated(0, 20_000), HORIZON).value - 1) < 0.05
    assert abs(calibration_slope(*simulated(0, 20_000, stretch=2), HORIZON).value - 0.5) < 0.03
    found = [calibration_slope(*simulated(seed, 150), HORIZON) for seed in range(150)]
    assert 0.89 < np.mean([f.low <= 1 <= f.high for f in found]) < 0.99


def test_separated_deaths_and_constant_predictions_have_no_slope():
    time, event = np.arange(10.0, 210, 10), np.ones(20, bool)
    risk = np.linspace(0.9, 0.1, 20)
    assert calibration_slope(time, event, risk, 150).value == np.inf
    assert calibration_slope(time, event, risk[::-1], 150).value == -np.inf
    assert np.isnan(calibration_slope(time, event, np.full(20, 0.3), 150).value)
    last = np.arange(20) == 19
    assert np.isnan(calibration_slope(time, last, risk, 500).value)
    assert np.isfinite(calibration_curve(time, event, risk, 150, replicates=20).observed).all()


def test_the_curve_equals_a_scikit_survival_fit_of_the_same_spline():
    time, event, risk = simulated(2)
    until, died = np.minimum(time, HORIZON), event & (time <= HORIZON)
    score = np.log(-np.log1p(-risk))
    found = calibration_curve(time, event, risk, HORIZON, points=20, replicates=0)
    knots = quantile_knots(score)
    scaler = StandardScaler().fit(restricted_cubic_basis(score, knots))
    model = CoxPHSurvivalAnalysis(alpha=1e-3, ties="efron", tol=1e-12)
    model.fit(scaler.transform(restricted_cubic_basis(score, knots)), Surv.from_arrays(died, until))
    grid = np.log(-np.log1p(-found.predicted))
    curves = model.predict_survival_function(scaler.transform(restricted_cubic_basis(grid, knots)))
    assert np.allclose(found.observed, [1 - curve(until[died].max()) for curve in curves], atol=2e-3)


def test_the_curve_is_the_diagonal_for_right_predictions_and_off_it_for_wrong_ones():
    right = calibration_curve(*simulated(0, 5000), HORIZON, replicates=20)
    assert np.allclose(right.observed, right.predicted, atol=0.05) and right.integrated_index < 0.03
    wrong = calibration_curve(*simulated(0, 5000, shift=1.0), HORIZON, replicates=20)
    assert wrong.integrated_index > 0.1 and np.all(wrong.observed < wrong.predicted)


def test_the_band_covers_the_truth_pointwise_and_is_the_same_twice():
    inside = []
    for seed in range(25):
        found = calibration_curve(*simulated(seed, 150), HORIZON, points=9, replicates=80)
        inside.append((found.low <= found.predicted) & (found.predicted <= found.high))
    assert 0.85 < np.mean(inside) <= 1
    once, again = (calibration_curve(*simulated(3, 80), HORIZON, replicates=20, seed=4) for _ in range(2))
    assert np.array_equal(once.low, again.low)


def test_groups_hold_everybody_and_their_own_kaplan_meier():
    time, event, risk = simulated(4)
    found = grouped_calibration(time, event, risk, HORIZON)
    assert found.n.sum() == 400 and len(found.n) == 5
    worst = risk >= np.quantile(risk, 0.8)
    times, alive = kaplan_meier_estimator(event[worst], time[worst])
    assert np.isclose(found.observed[-1], 1 - alive[times <= HORIZON][-1])
    assert np.all((found.low <= found.observed) & (found.observed <= found.high))
    short = grouped_calibration(np.minimum(time, 300), event & (time <= 300), risk, HORIZON)
    assert len(short.n) == 0


def test_the_spline_is_the_natural_cubic_through_its_knots():
    rng = np.random.default_rng(0)
    for knots in (np.array([-1.0, 0.2, 1.5]), np.array([-2.0, -0.5, 0.4, 2.0])):
        values = np.linspace(knots[0], knots[-1], 60)
        spline = CubicSpline(knots, rng.normal(size=len(knots)), bc_type="natural")
        basis = np.column_stack([np.ones(60), restricted_cubic_basis(values, knots)])
        fitted = basis @ np.linalg.lstsq(basis, spline(values), rcond=None)[0]
        assert np.allclose(fitted, spline(values), atol=1e-9)
        beyond = restricted_cubic_basis(knots[-1] + np.arange(4.0), knots)
        assert np.allclose(np.diff(beyond, n=2, axis=0), 0, atol=1e-9)
    assert restricted_cubic_basis(np.arange(5.0), quantile_knots(np.ones(5))).shape == (5, 1)


def test_the_report_horizon_is_one_year_where_the_follow_up_supports_it():
    _, time, _ = censored(0, n=200)
    days = np.array([90, 180, 365, 450, 730.0])
    assert report_horizon(days, time) == 365
    assert report_horizon(np.array([90, 180, 270, 450.0]), np.linspace(1, 1000, 100)) == 270
    assert report_horizon(days, np.full(10, 50.0)) is None
