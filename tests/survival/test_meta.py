import numpy as np
import pytest
from statsmodels.stats.meta_analysis import combine_effects

from glioma_os.errors import DataError
from glioma_os.survival.meta import pooled_probability, random_effects

EFFECTS, ERRORS = np.array([0.1, 0.3, 0.35, 0.65, 0.45]), np.array([0.1, 0.15, 0.08, 0.2, 0.12])


def test_values_equal_statsmodels_paule_mandel_and_hartung_knapp():
    theirs = combine_effects(EFFECTS, ERRORS**2, method_re="iterated", use_t=True)
    ours = random_effects(EFFECTS, ERRORS)
    assert ours.tau2 == pytest.approx(theirs.tau2, abs=1e-6) and ours.mean == pytest.approx(theirs.mean_effect_re)
    (_, _), (_, _), _, (low, high) = theirs.conf_int(alpha=0.05)
    assert (ours.low, ours.high) == (pytest.approx(low, abs=2e-3), pytest.approx(high, abs=2e-3))
    assert ours.prediction_low < ours.low < ours.mean < ours.high < ours.prediction_high


def test_cohorts_alike_have_no_spread_and_two_give_no_prediction():
    same = random_effects(np.full(4, 0.3), np.full(4, 0.1))
    assert same.tau2 == 0 and same.mean == pytest.approx(0.3)
    assert np.isnan(random_effects(EFFECTS[:2], ERRORS[:2]).prediction_low)
    with pytest.raises(DataError, match="two or more"):
        random_effects(EFFECTS[:1], ERRORS[:1])


def test_a_probability_stays_one():
    found = pooled_probability(np.array([0.9, 0.97, 0.6]), np.array([0.8, 0.9, 0.5]), np.array([0.96, 0.99, 0.7]))
    assert 0 < found.prediction_low < found.low < found.mean < found.high < found.prediction_high < 1
