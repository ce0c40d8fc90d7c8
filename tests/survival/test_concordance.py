import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glioma_os.errors import DataError
from glioma_os.survival import concordance as module
from glioma_os.survival.concordance import concordance, weighted_concordance
from tests.survival.oracles import concordance_index_censored
from tests.survival.samples import censored

ROWS = st.lists(st.tuples(st.integers(1, 6), st.booleans(), st.integers(-3, 3)), min_size=2, max_size=30)


@settings(max_examples=300, deadline=None)
@given(ROWS)
def test_equals_scikit_survival_with_ties_and_censoring(rows):
    time, event, risk = (np.array(column) for column in zip(*rows, strict=True))
    event = event.astype(bool)
    try:
        expected = concordance_index_censored(event, time.astype(float), risk.astype(float))[0]
    except (ValueError, RuntimeWarning):  # all censored, no pair, or 0/0
        with pytest.raises(DataError):
            concordance(time, event, risk)
        return
    assert concordance(time, event, risk) == expected


@settings(max_examples=100, deadline=None)
@given(ROWS)
def test_reversed_risk_gives_the_complement(rows):
    time, event, risk = (np.array(column) for column in zip(*rows, strict=True))
    try:
        value = concordance(time, event.astype(bool), risk)
    except DataError:
        return
    assert np.isclose(value + concordance(time, event.astype(bool), -risk), 1)


def test_constant_risk_is_one_half_and_higher_risk_means_dying_first():
    time, event = np.array([1.0, 2, 3, 4]), np.array([1, 1, 0, 1], bool)
    assert concordance(time, event, np.zeros(4)) == 0.5
    assert concordance(time, event, np.array([4, 3, 2, 1])) == 1


def test_no_comparable_pair_and_infinite_risk_are_errors():
    with pytest.raises(DataError):
        concordance(np.array([1.0, 2]), np.zeros(2, bool), np.zeros(2))
    with pytest.raises(DataError):
        concordance(np.array([1.0, 2]), np.ones(2, bool), np.array([np.nan, 1]))


def test_thousands_with_ties_equal_scikit_survival_and_replicates_are_rows_repeated():
    rng = np.random.default_rng(0)
    time, event, risk = rng.integers(1, 900, 3000), rng.random(3000) < 0.7, rng.integers(-40, 40, 3000) / 8
    assert concordance(time, event, risk) == concordance_index_censored(event, time.astype(float), risk)[0]
    few, counts = slice(0, 200), rng.multinomial(200, np.full(200, 1 / 200), size=150)
    found = weighted_concordance(time[few], event[few], risk[few], counts)
    for row in (0, 63, 64, 149):  # replicates are taken 64 at a time
        drawn = np.repeat(np.arange(200), counts[row])
        assert found[row] == concordance_index_censored(event[drawn], time[drawn].astype(float), risk[drawn])[0]


def test_all_pairs_of_few_rows_equal_the_ordered_sums(monkeypatch):
    time, event, risk = outcome(3, 120)
    counts = np.random.default_rng(0).multinomial(120, np.full(120, 1 / 120), size=50)
    strata = np.arange(120) % 3
    for groups in (None, strata):
        monkeypatch.setattr(module, "_DENSE", 256)
        dense = weighted_concordance(time, event, risk, counts, strata=groups)
        monkeypatch.setattr(module, "_DENSE", 0)
        assert np.allclose(dense, weighted_concordance(time, event, risk, counts, strata=groups), atol=1e-12)


def test_strata_compare_only_patients_within_them():
    time, event, risk = outcome(4, 90)
    strata = np.arange(90) % 3
    moved = risk + 100.0 * strata  # another scale in each stratum
    ones = np.ones((1, 90))
    by_hand = [concordant_pairs(time[strata == k], event[strata == k], risk[strata == k]) for k in range(3)]
    expected = sum(own for own, _ in by_hand) / sum(every for _, every in by_hand)
    assert weighted_concordance(time, event, moved, ones, strata=strata)[0] == pytest.approx(expected)


def outcome(seed, n):
    inputs, time, event = censored(seed, n)
    return time, event, np.round(inputs[:, 0], 1)


def concordant_pairs(time, event, risk):
    own = every = 0.0
    for i in np.flatnonzero(event):
        for j in range(len(time)):
            if time[j] > time[i] or (time[j] == time[i] and not event[j]):
                every += 1
                own += (risk[i] > risk[j]) + 0.5 * (risk[i] == risk[j])
    return own, every
