import numpy as np
import pytest

from glioma_os.errors import ConfigError, DataError
from glioma_os.survival.likelihoods import cox_log_likelihood, fit_cox
from tests.survival.oracles import CoxnetSurvivalAnalysis, CoxPHSurvivalAnalysis, PHReg, Surv
from tests.survival.samples import censored


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("seed", range(3))
def test_value_and_coefficients_equal_statsmodels(seed, ties):
    inputs, time, event = censored(seed)
    model = PHReg(time, inputs, status=event.astype(int), ties=ties)
    beta = np.array([0.4, -0.2, 0.1])
    assert np.isclose(cox_log_likelihood(inputs @ beta, time, event, ties).value, model.loglike(beta), atol=1e-8)
    assert np.allclose(fit_cox(inputs, time, event, ties=ties), model.fit().params, atol=1e-6)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_ridge_coefficients_equal_scikit_survival(ties):
    inputs, time, event = censored(7)
    model = CoxPHSurvivalAnalysis(alpha=5.0, ties=ties, tol=1e-12).fit(inputs, Surv.from_arrays(event, time))
    assert np.allclose(fit_cox(inputs, time, event, l2=5.0, ties=ties), model.coef_, atol=1e-6)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_derivatives_equal_finite_differences(ties):
    inputs, time, event = censored(1, n=12)
    log_hazard = inputs[:, 0]
    exact, step = cox_log_likelihood(log_hazard, time, event, ties), 1e-5
    for row in range(len(time)):
        move = np.eye(len(time))[row] * step
        up = cox_log_likelihood(log_hazard + move, time, event, ties)
        down = cox_log_likelihood(log_hazard - move, time, event, ties)
        assert np.isclose((up.value - down.value) / (2 * step), exact.gradient[row], atol=1e-7)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_shift_and_row_order_change_nothing_and_extremes_stay_finite(ties):
    inputs, time, event = censored(2)
    log_hazard, order = inputs[:, 0], np.random.default_rng(0).permutation(len(time))
    value = cox_log_likelihood(log_hazard, time, event, ties).value
    assert np.isclose(cox_log_likelihood(log_hazard + 300, time, event, ties).value, value, atol=1e-8)
    assert np.isclose(cox_log_likelihood(log_hazard[order], time[order], event[order], ties).value, value, atol=1e-9)
    extreme = cox_log_likelihood(np.linspace(-700, 700, len(time)), time, event, ties)
    assert all(np.isfinite(part).all() for part in extreme)


@pytest.mark.parametrize(("seed", "alpha"), [(0, 0.05), (1, 0.05), (2, 0.2)])
def test_elastic_net_coefficients_equal_scikit_survival(seed, alpha):
    inputs, time, event = censored(seed)
    model = CoxnetSurvivalAnalysis(alphas=[alpha], l1_ratio=0.6, tol=1e-12, max_iter=100_000, normalize=False)
    model.fit(inputs, Surv.from_arrays(event, time))
    n = len(time)
    found = fit_cox(inputs, time, event, l2=alpha * 0.4 * n, l1=alpha * 0.6 * n, ties="breslow")
    assert np.allclose(found, model.coef_[:, 0], atol=1e-6)
    assert np.any(found == 0) == (alpha == 0.2)


def test_collinear_and_constant_columns_do_not_break_the_fit():
    inputs, time, event = censored(5)
    doubled = np.column_stack([inputs, inputs[:, 0], np.zeros(len(time))])
    beta = fit_cox(doubled, time, event)
    assert np.allclose(doubled @ beta, inputs @ fit_cox(inputs, time, event), atol=1e-6)


def test_all_censored_and_unknown_ties_are_errors():
    inputs, time, event = censored(6)
    with pytest.raises(DataError):
        fit_cox(inputs, time, np.zeros(len(time), bool))
    with pytest.raises(ConfigError):
        cox_log_likelihood(inputs[:, 0], time, event, "exact")
