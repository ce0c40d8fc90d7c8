"""Against outputs of pmsampsize and figures printed in the papers."""

import numpy as np
import pytest

from glioma_os.errors import ConfigError
from glioma_os.survival.likelihoods import cox_log_likelihood, fit_cox
from glioma_os.survival.sample_size import (
    binary_criteria,
    largest_r_squared_of_events,
    overall_risk,
    r_squared_of_auc,
    r_squared_of_concordance,
    riley_patients,
    survival_criteria,
)
from tests.survival.oracles import concordance_index_censored


def test_binary_criteria_equal_pmsampsize():
    # pmsampsize(type = "b", csrsquared = 0.288, parameters = 24, prevalence = 0.174)
    found = binary_criteria(24, 0.288, 0.174)
    assert found[:3] == (623, 662, 221) and found.largest == max(662, found.prediction_error)


def test_survival_criteria_equal_pmsampsize():
    # pmsampsize(type = "s", csrsquared = 0.051, parameters = 30, rate = 0.065, timepoint = 2, meanfup = 2.07)
    found = survival_criteria(30, 0.051, 0.065, 2, 2.07)
    assert found[:2] == (5143, 1039) and found.largest == 5143
    assert np.allclose(overall_risk(5143, 0.065, 2, 2.07), (0.122, 0.113, 0.13), atol=6e-4)
    assert np.isclose(largest_r_squared_of_events(0.065 * 2.07), 0.555, atol=6e-4)
    # Its own tests: 25 parameters, R² .051 and .065.
    assert survival_criteria(25, 0.051, 0.065, 2, 2.07)[0] == 4286
    assert survival_criteria(25, 0.065, 0.065, 2, 2.07)[0] == 3335


def test_the_unit_of_time_does_not_matter():
    assert survival_criteria(10, 0.2, 0.5, 1, 1.4) == survival_criteria(10, 0.2, 0.5 / 365, 365, 1.4 * 365)


def test_the_overall_risk_is_known_within_five_points_and_not_with_one_patient_fewer():
    for rate, timepoint, follow_up in ((0.065, 2, 2.07), (0.8, 1, 1.1), (0.002, 365, 420)):
        needed = survival_criteria(1, 0.1, rate, timepoint, follow_up).overall_risk
        for patients, enough in ((needed, True), (needed - 1, False)):
            risk, low, high = overall_risk(patients, rate, timepoint, follow_up)
            assert (risk - low <= 0.05 + 1e-12) == enough and high - risk < risk - low
    assert binary_criteria(1, 0.1, 0.5).overall_risk == 385


def test_the_fourth_criterion_as_printed():
    # Riley 2020, BMJ 368:m441: 30 parameters, outcome in 5 %, mean absolute prediction error 0.05.
    assert binary_criteria(30, 0.05, 0.05).prediction_error == pytest.approx(544, abs=1)
    assert binary_criteria(31, 0.05, 0.05).prediction_error is None
    assert binary_criteria(5, 0.1, 0.2).prediction_error == binary_criteria(5, 0.1, 0.8).prediction_error


def test_r_squared_of_auc_rises_from_nothing():
    found = [r_squared_of_auc(auc, 0.5) for auc in (0.51, 0.6, 0.7, 0.8, 0.9)]
    assert found[0] < 0.001 and np.all(np.diff(found) > 0)


@pytest.mark.parametrize(("spread", "censoring"), [(0.6, np.inf), (0.6, 1.2), (1.2, np.inf), (1.2, 1.2)])
def test_r_squared_of_concordance_is_that_of_a_simulated_cox_model(spread, censoring):
    rng = np.random.default_rng(0)
    score = rng.normal(0, spread, 4000)
    time = rng.exponential(np.exp(-score))
    end = rng.exponential(censoring, 4000) if np.isfinite(censoring) else np.full(4000, np.inf)
    event, seen = time <= end, np.minimum(time, end)
    beta = fit_cox(score[:, None], seen, event)
    null = cox_log_likelihood(np.zeros(4000), seen, event).value
    ratio = 2 * (cox_log_likelihood(score * beta[0], seen, event).value - null)
    c = concordance_index_censored(event, seen, score)[0]
    too_high = r_squared_of_concordance(c, event.mean()) - (1 - np.exp(-ratio / 4000))
    assert -0.07 < too_high < 0.04  # an R² too low asks for more patients than needed, not for fewer


@pytest.mark.parametrize(
    "call",
    [
        lambda: riley_patients(0, 0.2), lambda: riley_patients(5, 0.95), lambda: riley_patients(5, 1.2),
        lambda: binary_criteria(5, 0.5, 0.02), lambda: binary_criteria(5, 0.2, 1.0),
        lambda: survival_criteria(5, 0.2, 0.0, 1, 1), lambda: r_squared_of_auc(0.5, 0.5),
        lambda: r_squared_of_concordance(0.4, 0.5), lambda: r_squared_of_concordance(0.7, 0.0),
    ],
)  # fmt: skip
def test_impossible_values_are_refused(call):
    with pytest.raises(ConfigError):
        call()
