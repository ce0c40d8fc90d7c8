import numpy as np
import pytest

from glioma_os.errors import DataError
from glioma_os.survival.curves import Baseline, kaplan_meier, log_rank
from tests.survival.oracles import CoxPHSurvivalAnalysis, Surv, compare_survival, kaplan_meier_estimator
from tests.survival.samples import censored


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("ties", [True, False])
def test_kaplan_meier_equals_scikit_survival(seed, ties):
    _, time, event = censored(seed, ties=ties)
    times, survival, (low, high) = kaplan_meier_estimator(event, time, conf_type="log-log")
    ours = kaplan_meier(time, event)
    assert np.array_equal(ours.times, times)
    assert np.allclose(ours.survival, survival, atol=1e-12)
    inside = (survival > 0) & (survival < 1)
    assert np.allclose(ours.low[inside], low[inside], atol=1e-9)
    assert np.allclose(ours.high[inside], high[inside], atol=1e-9)
    assert ours.at_risk[0] == len(time)


def test_kaplan_meier_edges():
    all_dead = kaplan_meier(np.array([1.0, 1.0]), np.ones(2, bool))
    assert all_dead.survival.tolist() == [0] and np.isfinite(all_dead.variance).all()
    nobody = kaplan_meier(np.array([1.0, 2.0]), np.zeros(2, bool))
    assert nobody.low.tolist() == nobody.high.tolist() == [1, 1]
    with pytest.raises(DataError):
        kaplan_meier(np.empty(0), np.empty(0))


@pytest.mark.parametrize("seed", range(5))
def test_log_rank_equals_scikit_survival(seed):
    inputs, time, event = censored(seed)
    group = inputs[:, 0] > 0.3
    chi2, p = compare_survival(Surv.from_arrays(event, time), group)
    ours = log_rank(time, event, group)
    assert np.isclose(ours.chi2, chi2, atol=1e-9) and np.isclose(ours.p, p, atol=1e-12)


def test_log_rank_needs_two_groups_and_a_death():
    with pytest.raises(DataError):
        log_rank(np.arange(1.0, 5), np.ones(4, bool), np.ones(4, bool))
    with pytest.raises(DataError):
        log_rank(np.arange(1.0, 5), np.zeros(4, bool), np.array([1, 0, 1, 0], bool))


def test_breslow_curves_equal_scikit_survival():
    inputs, time, event = censored(3)
    model = CoxPHSurvivalAnalysis(ties="breslow").fit(inputs, Surv.from_arrays(event, time))
    log_hazard = inputs @ model.coef_
    horizons = np.array([30.0, 120, 365, 700])
    ours = Baseline.fit(time, event, log_hazard).survival(log_hazard, horizons)
    lowest = model.unique_times_[0]
    theirs = np.array(
        [[f(day) if day >= lowest else 1.0 for day in horizons] for f in model.predict_survival_function(inputs)]
    )
    assert np.allclose(ours, theirs, atol=1e-9)


def test_breslow_is_finite_for_extreme_log_hazards():
    _, time, event = censored(4)
    log_hazard = np.linspace(-700, 700, len(time))
    curves = Baseline.fit(time, event, log_hazard).survival(log_hazard, np.array([1.0, 365]))
    assert np.isfinite(curves).all() and curves.min() >= 0 and curves.max() <= 1
