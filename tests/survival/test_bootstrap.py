import time as clock

import numpy as np
import pytest

from glioma_os.errors import ConfigError, DataError
from glioma_os.survival.bootstrap import METRICS, Sample, bootstrap_weights, interval
from glioma_os.survival.endpoints import classes
from tests.survival.samples import censored


def sample(seed=0, n=60, cuts=(200.0, 500.0)):
    inputs, time, event = censored(seed, n=n)
    scores = np.column_stack([inputs[:, 0] * k for k in range(len(cuts), -1, -1)]).round(1)
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    risk = -probabilities @ np.arange(len(cuts) + 1)
    days = np.array([60.0, 180.0, 300.0])
    curves = np.exp(-np.outer(np.exp(risk - risk.mean()), days / 400))
    return Sample(time, event, risk.round(2), classes(time, event, np.array(cuts)), probabilities, curves, days)


@pytest.mark.parametrize("cuts", [(300.0,), (200.0, 500.0)])
@pytest.mark.parametrize("name", METRICS)
def test_weights_equal_recomputing_on_resampled_rows(name, cuts):
    of = sample(cuts=cuts)
    weights = bootstrap_weights(len(of.time), 40, seed=3)
    values = METRICS[name](of, weights)
    for counts, value in zip(weights, values, strict=True):
        assert np.isclose(METRICS[name](of.rows(np.repeat(np.arange(60), counts)))[0], value, rtol=1e-12, atol=1e-12)


def test_replicates_lacking_a_class_are_dropped_and_counted():
    of = Sample(
        np.array([1.0, 9, 9, 9]), np.ones(4, bool), np.arange(4.0), np.array([0, 1, 1, 1]), np.eye(2)[[0, 1, 1, 1]]
    )
    weights = bootstrap_weights(4, 500, seed=0)
    expected = int(np.sum((weights[:, 0] == 0) | (weights[:, 1:].sum(axis=1) == 0)))
    assert expected > 50
    assert interval(METRICS["auc"](of, weights)).dropped == expected
    with pytest.raises(DataError):
        interval(np.full(5, np.nan))


def test_weights_hold_every_patient_count_and_follow_the_seed():
    weights = bootstrap_weights(30, 100, seed=5)
    assert (weights.sum(axis=1) == 30).all()
    assert np.array_equal(weights, bootstrap_weights(30, 100, seed=5))
    assert not np.array_equal(weights, bootstrap_weights(30, 100, seed=6))


def test_constant_risk_and_undefined_points():
    of = sample()
    flat = Sample(of.time, of.event, np.zeros(60), of.classes, np.full((60, 3), 1 / 3))
    assert METRICS["auc"](flat)[0] == METRICS["c_index"](flat)[0] == 0.5
    assert METRICS["spearman"](flat)[0] == 0
    with pytest.raises(ConfigError):
        METRICS["auc"](Sample(of.time, of.event, of.risk))
    with pytest.raises(DataError):
        METRICS["auc"](Sample(of.time, of.event, of.risk, np.zeros(60, int), of.probabilities))


def test_two_thousand_replicates_of_auc_and_c_on_600_take_seconds():
    of = sample(n=600, cuts=(300.0,))
    start = clock.perf_counter()
    weights = bootstrap_weights(600, 2000, seed=0)
    for name in ("auc", "c_index"):
        METRICS[name](of, weights)
    assert clock.perf_counter() - start < 5
