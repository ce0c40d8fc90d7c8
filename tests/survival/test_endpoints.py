import numpy as np
import pytest

from glioma_os.errors import ConfigError, DataError
from glioma_os.survival.curves import kaplan_meier
from glioma_os.survival.endpoints import Endpoint, class_weights, classes


def test_cut_belongs_to_the_longer_class_and_censored_rows_are_decided_only_when_they_can_be():
    time = np.array([299, 300, 449, 450, 451, 299, 300, 450, 1000])
    event = np.array([1, 1, 1, 1, 1, 0, 0, 0, 0], bool)
    assert classes(time, event, np.array([300, 450])).tolist() == [0, 1, 1, 2, 2, -1, -1, 2, 2]


def test_brats_rule_to_the_letter_is_cut_451():
    found = classes(np.array([299, 300, 450, 451]), np.ones(4, bool), np.array([300, 451]))
    assert found.tolist() == [0, 1, 1, 2]


def test_quantile_cuts_come_from_the_deaths_alone():
    endpoint = Endpoint("terciles", quantiles=(1 / 3, 2 / 3))
    time, event = np.array([10.0, 20, 30, 40, 9999]), np.array([1, 1, 1, 1, 0], bool)
    assert np.allclose(endpoint.fit_cuts(time, event), [20, 30])
    assert endpoint.n_classes == 3
    assert Endpoint("os", kind="time").n_classes == 0


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"kind": "hazard"},
        {"cuts_days": ()},
        {"cuts_days": (450, 300)},
        {"cuts_days": (0,)},
        {"quantiles": (1.2,)},
        {"cuts_days": (300,), "quantiles": (0.5,)},
        {"kind": "time", "cuts_days": (300,)},
        {"cuts_days": (float("nan"),)},
    ],
)
def test_impossible_endpoints_are_refused(settings):
    with pytest.raises(ConfigError):
        Endpoint("x", **settings)


def test_quantiles_without_a_death_or_falling_together_are_data_errors():
    endpoint = Endpoint("terciles", quantiles=(1 / 3, 2 / 3))
    with pytest.raises(DataError):
        endpoint.fit_cuts(np.array([1.0, 2]), np.zeros(2, bool))
    with pytest.raises(DataError):
        endpoint.fit_cuts(np.full(9, 5.0), np.ones(9, bool))


@pytest.mark.parametrize("cuts", [[3.0], [2.0, 4.0], [4.5], [2.0, 5.0]], ids=str)
@pytest.mark.parametrize("seed", range(4))
def test_weighted_class_shares_are_the_kaplan_meier_estimates_where_deaths_and_censorings_tie(cuts, seed):
    """Satten & Datta 2001: inverse-probability-of-censoring weighting by G(t−) is the Kaplan–Meier estimator."""
    rng = np.random.default_rng(seed)
    time, event = rng.integers(1, 7, 60).astype(float), rng.uniform(size=60) < 0.6
    assert all((event & (time == cut)).any() and (~event & (time == cut)).any() for cut in cuts if cut % 1 == 0)
    cuts = np.array(cuts)
    weights, of_rows = class_weights(time, event, cuts, np.arange(60)), classes(time, event, cuts)
    shares = [weights[of_rows == k].sum() / 60 for k in range(len(cuts) + 1)]
    curve = kaplan_meier(time, event)
    alive = np.append(1.0, curve.survival)[np.searchsorted(curve.times, cuts, side="left")]
    assert shares == pytest.approx(-np.diff([1.0, *alive, 0.0]), abs=1e-12)


def test_class_weights_come_from_the_censoring_of_the_sample_alone():
    time, event = np.array([1.0, 2, 3, 4, 5, 6]), np.array([1, 0, 1, 1, 0, 1], bool)
    weights = class_weights(time, event, np.array([4.5]), np.array([0, 2, 3]))
    assert weights.tolist() == [1.0] * 6
    decided = classes(time, event, np.array([4.5])) >= 0
    weights = class_weights(time, event, np.array([4.5]), np.arange(6))
    assert weights[decided] == pytest.approx([1, 1.25, 1.25, 1.25, 1.25])
