"""Effects and cells against brute force, statsmodels' Holm, and cases whose answer is known."""

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from glioma_os.errors import DataError
from glioma_os.sweeps.compare import Observation, bootstrap_p, cells, effects

RNG = np.random.default_rng(3)
SHARED = RNG.normal(0, 0.05, 1001)  # what patients do to every job alike


def observation(level, other="x", seed="1", shift=0.0, baseline=None, metric="auc"):
    noise = np.random.default_rng([ord(level[0]), ord(other), ord(seed)]).normal(0, 0.01, 1001)
    values = 0.7 + shift + SHARED + noise
    return Observation((("a", level), ("b", other)), seed, metric, values, 50, baseline)


GRID = [
    observation(level, other, seed, shift)
    for level, shift in (("low", 0.0), ("high", 0.06), ("same", 0.0))
    for other in ("x", "y")
    for seed in ("1", "2")
]


def test_a_cell_is_the_mean_over_seeds_with_its_percentile_interval():
    found = {cell.factors: cell for cell in cells(GRID)}
    assert len(found) == 6
    for factors, cell in found.items():
        own = [one for one in GRID if one.factors == factors]
        mean = (own[0].values + own[1].values) / 2
        assert cell.value == pytest.approx(mean[0]) and cell.seeds == 2
        assert (cell.low, cell.high) == pytest.approx(tuple(np.quantile(mean[1:], [0.025, 0.975])))
        assert cell.seed_sd == pytest.approx(abs(own[0].values[0] - own[1].values[0]) / np.sqrt(2))
        assert np.isnan(cell.delta_to_age)
    values = [cell.value for cell in cells(GRID)]
    assert values == sorted(values, reverse=True)


def test_the_difference_to_age_is_paired():
    aged = [observation("low", baseline=0.6 + SHARED)]
    (cell,) = cells(aged)
    assert cell.delta_to_age == pytest.approx(aged[0].values[0] - 0.6 - SHARED[0])
    assert cell.delta_high - cell.delta_low < 0.3 * (cell.high - cell.low)


def test_an_effect_is_the_paired_mean_over_what_jobs_share():
    found = {(e.factor, e.level): e for e in effects(GRID)}
    assert set(found) == {("a", "high"), ("a", "same"), ("b", "y")}
    high = found["a", "high"]
    by_hand = np.mean(
        [
            one.values - other.values
            for one in GRID
            for other in GRID
            if dict(one.factors)["a"] == "high"
            and dict(other.factors)["a"] == "low"
            and (one.factors[1], one.seed) == (other.factors[1], other.seed)
        ],
        axis=0,
    )
    assert high.pairs == 4 and high.value == pytest.approx(by_hand[0])
    assert (high.low, high.high) == pytest.approx(tuple(np.quantile(by_hand[1:], [0.025, 0.975])))
    assert high.p_holm < 0.01 and high.low > 0.03 and found["a", "same"].p_holm > 0.05


def test_holm_is_statsmodels():
    found = effects(GRID)
    _, corrected, _, _ = multipletests([e.p for e in found], method="holm")
    assert [e.p_holm for e in found] == pytest.approx(list(corrected))


def test_jobs_that_share_nothing_have_no_effect_and_double_jobs_are_refused():
    assert effects([observation("low", "x"), observation("high", "y")]) == []
    with pytest.raises(DataError, match="two jobs"):
        cells([observation("low"), observation("low")])


def test_p_counts_the_smaller_side_and_is_never_zero():
    assert bootstrap_p(np.linspace(0.1, 1, 999)) == pytest.approx(2 / 1000)
    assert bootstrap_p(np.array([-1.0, 1.0, np.nan])) == 1.0
    assert bootstrap_p(np.zeros(9)) == 1.0
