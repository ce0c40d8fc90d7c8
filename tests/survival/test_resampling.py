"""Corrected t, permutation p and BCa, against scipy and formulas by hand."""

import numpy as np
import pytest
from scipy.stats import bootstrap, ttest_1samp

from glioma_os.errors import ConfigError, DataError
from glioma_os.survival.resampling import bca_interval, jackknife_weights, nadeau_bengio, permutation_p
from glioma_os.survival.sample_size import r_squared_of_auc, riley_patients
from glioma_os.survival.utility import decision_curve


def test_nadeau_bengio_is_the_t_test_with_a_wider_variance():
    values = np.array([0.02, 0.05, -0.01, 0.03, 0.04, 0.0, 0.06, 0.01, 0.02, 0.03])
    plain = ttest_1samp(values, 0.0)
    no_overlap = nadeau_bengio(values, n_train=1e12, n_test=1)
    assert np.isclose(no_overlap.p, plain.pvalue)
    assert np.allclose(no_overlap[1:3], plain.confidence_interval(0.95))
    wider = nadeau_bengio(values, n_train=80, n_test=20)
    ratio = np.sqrt((0.1 + 0.25) / 0.1)
    assert np.isclose((wider.high - wider.low) / (no_overlap.high - no_overlap.low), ratio)
    with pytest.raises(DataError):
        nadeau_bengio(values[:1], 80, 20)


def test_permutation_p_is_never_zero():
    assert permutation_p(0.7, np.linspace(0.4, 0.6, 99)) == 0.01
    assert permutation_p(0.5, np.array([0.5, 0.4, 0.6])) == 0.75


def test_bca_equals_scipy():
    data = np.random.default_rng(3).exponential(size=40)
    theirs = bootstrap((data,), np.mean, n_resamples=20_000, method="BCa", rng=1)
    weights = np.random.default_rng(2).multinomial(40, np.full(40, 1 / 40), size=20_000)
    left_out = jackknife_weights(40) @ data / 39
    ours = bca_interval(weights @ data / 40, data.mean(), left_out)
    assert np.allclose(ours, theirs.confidence_interval, atol=0.01)
    plain = np.quantile(weights @ data / 40, [0.025, 0.975])
    assert ours[0] > plain[0] and ours[1] > plain[1]  # a right-skewed mean: the interval moves up


def test_decision_curve_by_hand():
    happened, probability = np.array([1, 1, 0, 0, 0], bool), np.array([0.9, 0.4, 0.6, 0.2, 0.1])
    curve = decision_curve(happened, probability, np.array([0.05, 0.5]))
    assert np.allclose(curve.model, [2 / 5 - 3 / 5 * 0.05 / 0.95, 1 / 5 - 1 / 5])
    assert np.allclose(curve.treat_all, [curve.model[0], 0.4 - 0.6])
    with pytest.raises(DataError):
        decision_curve(happened, probability, np.array([1.0]))


def test_sample_size_equals_pmsampsize():
    # pmsampsize's help: type(b) rsquared(0.288) parameters(24): criterion 1 asks for 623
    assert riley_patients(24, 0.288) == 623
    # type(s) rsquared(0.051) parameters(30): 5143
    assert riley_patients(30, 0.051) == 5143
    assert abs(riley_patients(1, r_squared_of_auc(0.74, 0.5)) - 48) <= 3
    with pytest.raises(ConfigError):
        r_squared_of_auc(0.4, 0.5)
