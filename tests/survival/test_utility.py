"""The decision curve of censored outcomes by its definition."""

import numpy as np
import pytest

from glioma_os.errors import DataError
from glioma_os.survival.utility import censored_decision_curve, decision_curve
from tests.survival.oracles import kaplan_meier_estimator
from tests.survival.samples import censored

THRESHOLDS = np.linspace(0.1, 0.9, 17)


def test_without_censoring_it_is_the_decision_curve_of_the_binary_outcome():
    inputs, time, _ = censored(0)
    risk = 1 / (1 + np.exp(-inputs[:, 0]))
    found = censored_decision_curve(time, np.ones(len(time), bool), risk, THRESHOLDS, 360)
    expected = decision_curve(time <= 360, risk, THRESHOLDS)
    assert np.allclose(found.model, expected.model) and np.allclose(found.treat_all, expected.treat_all)


def test_with_censoring_it_is_the_definition_with_scikit_survivals_kaplan_meier():
    inputs, time, event = censored(1, n=150)
    risk = 1 / (1 + np.exp(-inputs[:, 0]))
    found = censored_decision_curve(time, event, risk, THRESHOLDS, 360)
    for threshold, benefit in zip(THRESHOLDS, found.model, strict=True):
        rows = risk >= threshold
        times, alive = kaplan_meier_estimator(event[rows], time[rows])
        died = 1 - alive[times <= 360][-1]
        harm = (1 - died) * threshold / (1 - threshold)
        assert np.isclose(benefit, rows.mean() * (died - harm))


def test_nobody_above_a_threshold_is_no_benefit_and_a_short_follow_up_is_undefined():
    time, event, risk = np.array([10.0, 20, 500]), np.array([1, 0, 0], bool), np.array([0.2, 0.8, 0.3])
    found = censored_decision_curve(time, event, risk, np.array([0.1, 0.5, 0.9]), 365)
    assert np.isfinite(found.model[0]) and np.isnan(found.model[1]) and found.model[2] == 0
    with pytest.raises(DataError):
        censored_decision_curve(time, event, risk, np.array([0.0]), 365)
