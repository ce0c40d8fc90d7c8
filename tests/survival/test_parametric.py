import numpy as np
import pytest
from scipy.stats import weibull_min

from glioma_os.errors import DataError
from glioma_os.survival.parametric import fit_discrete_hazard, fit_weibull
from tests.survival.samples import censored

# R's survival::ovarian (Edmunson 1979): futime, fustat, rx, ecog.ps.
OVARIAN = np.array([
    (59, 1, 1, 1), (115, 1, 1, 1), (156, 1, 1, 2), (421, 0, 2, 1), (431, 1, 1, 1), (448, 0, 1, 2), (464, 1, 2, 2),
    (475, 1, 2, 2), (477, 0, 1, 1), (563, 1, 2, 2), (638, 1, 1, 2), (744, 0, 2, 1), (769, 0, 2, 2), (770, 0, 2, 1),
    (803, 0, 1, 1), (855, 0, 1, 2), (1040, 0, 1, 2), (1106, 0, 1, 1), (1129, 0, 2, 1), (1206, 0, 2, 1), (1227, 0, 2, 2),
    (268, 1, 1, 2), (329, 1, 1, 1), (353, 1, 2, 2), (365, 1, 2, 1), (377, 0, 2, 1),
], float)  # fmt: skip


def test_weibull_equals_r_survreg_on_ovarian():
    time, event, treatment, performance = OVARIAN.T
    found = fit_weibull(np.column_stack([performance, treatment]), time, event == 1)
    # survreg(Surv(futime, fustat) ~ ecog.ps + rx, ovarian, dist = "weibull")
    assert np.allclose([found.intercept, *found.beta, found.scale], [6.897, -0.385, 0.529, 0.884], atol=6e-4)
    assert np.isclose(found.log_likelihood, -97.1, atol=0.05)


def test_weibull_finds_the_law_it_was_drawn_from_and_its_curve_is_that_laws():
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(20_000, 2))
    time = 300 * np.exp(inputs @ [0.5, -0.2]) * rng.weibull(1 / 0.7, 20_000)
    event = rng.uniform(size=20_000) < 0.8  # independent of time: the scale of time is then free, β and scale are not
    found = fit_weibull(inputs, time, np.ones(20_000, bool))
    assert np.allclose([found.intercept, *found.beta, found.scale], [np.log(300), 0.5, -0.2, 0.7], atol=0.02)
    expected = weibull_min(1 / 0.7, scale=300 * np.exp(0.5)).sf([50, 400])
    assert np.allclose(found.survival(np.array([[1.0, 0.0]]), np.array([50, 400])), expected, atol=0.01)
    assert fit_weibull(inputs, time, event).intercept > found.intercept


def test_a_penalty_shrinks_both_models():
    inputs, time, event = censored(1)
    for fit in (fit_weibull, fit_discrete_hazard):
        free, held = (np.abs(fit(inputs, time, event, l2=l2).beta).sum() for l2 in (0.01, 1000.0))
        assert held < 0.1 * free


def test_discrete_hazard_without_inputs_is_the_actuarial_estimate():
    _, time, event = censored(2)
    found = fit_discrete_hazard(np.zeros((len(time), 1)), time, event, intervals=5)
    alive = 1.0
    for start, end, survival in zip(
        np.append(0, found.edges[:-1]), found.edges, found.survival(np.zeros((1, 1)), found.edges)[0], strict=True
    ):
        died = np.sum(event & (time > start) & (time <= end))
        alive *= 1 - died / (died + np.sum(time > end))
        assert np.isclose(survival, alive, atol=1e-5)


def test_discrete_hazard_is_monotone_and_ranks_by_beta():
    inputs, time, event = censored(3)
    found = fit_discrete_hazard(inputs, time, event, l2=1.0)
    curves = found.survival(inputs, np.linspace(1, 3 * time.max(), 40))
    assert (np.diff(curves, axis=1) <= 1e-12).all() and (curves > 0).all() and (curves <= 1).all()
    order = np.argsort(inputs @ found.beta)
    assert (np.diff(curves[order, 10]) <= 1e-12).all()


@pytest.mark.parametrize("fit", [fit_weibull, fit_discrete_hazard])
def test_no_death_is_an_error(fit):
    inputs, time, event = censored(4)
    with pytest.raises(DataError):
        fit(inputs, time, np.zeros(len(event), bool))
