"""Harrell's concordance: of two patients, does the one who died first carry the higher risk? In O(n log n)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from glioma_os.errors import DataError
from glioma_os.records import Array
from glioma_os.survival.classification import ratio, strata_of

_DENSE = 256  # rows up to which all pairs are faster than sorting
_ROWS = 64  # replicates at a time: what one pass wrote is still in the cache for the next


class Order(NamedTuple):
    """Rows (n,) by falling time, so that the patients a death is compared with precede it.

    `sequence`: their numbers; at equal times the censored come first, then deaths by falling risk. `rank`: of the risk,
    0 the lowest. `first`: where the deaths of the same time begin. `run`: where those of the same time and risk begin.
    `died`: which places of the sequence are deaths.
    """

    sequence: Array
    rank: Array
    first: Array
    run: Array
    died: Array


def order(time: Array, event: Array, risk: Array) -> Order:
    """For the pairs in which the first died before the second was last seen (Harrell 1982).

    At equal times a death precedes a censoring, and two deaths are not comparable (as in scikit-survival).
    """
    time, risk, event = np.asarray(time, float), np.asarray(risk, float), np.asarray(event, bool)
    if not np.isfinite(risk).all():
        raise DataError("risk", f"{np.sum(~np.isfinite(risk))} values are not finite", "Check the fit that made them")
    sequence = np.lexsort((-risk, event, -time))
    rank = np.unique(risk, return_inverse=True)[1][sequence]
    time, event = time[sequence], event[sequence]
    new_time = np.diff(time, prepend=np.nan) != 0
    new_kind = new_time | (np.diff(event, prepend=False) != 0)
    new_run = new_kind | (np.diff(rank, prepend=-1) != 0)
    places = np.arange(len(time))
    first, run = (np.maximum.accumulate(np.where(new, places, 0)) for new in (new_kind, new_run))
    return Order(sequence, rank, first, run, np.flatnonzero(event))


def pair_weights(of: Order, weights: Array) -> tuple[Array, Array]:
    """For each row of `weights` (B, n) and each death, (B, deaths) in the order of `of.died`: the weight of all that it
    is compared with, and of those among them with a lower risk, plus half of those with the same."""
    parts = [_pair_weights(of, weights[start : start + _ROWS]) for start in range(0, len(weights), _ROWS)]
    comparable, concordant = (np.concatenate(part) for part in zip(*parts, strict=True))
    return comparable, concordant


def _pair_weights(of: Order, weights: Array) -> tuple[Array, Array]:
    """A pair of ranks differs first in one bit: level by level, those with a 0 there count for later ones with a 1."""
    columns = np.ascontiguousarray(weights.T[of.sequence], float)  # (n, B): rows are gathered whole
    concordant = np.zeros_like(columns)
    for bit in range(int(of.rank.max(initial=0)).bit_length()):
        place = np.argsort(of.rank >> bit + 1, kind="stable")
        group = of.rank[place] >> bit + 1
        high = (of.rank[place] >> bit & 1).astype(bool)
        before = _before(columns[place] * ~high[:, None])
        concordant[place[high]] += before[high] - before[np.searchsorted(group, group[high])]
    place = np.argsort(of.rank, kind="stable")
    where = np.empty_like(place)
    where[place] = np.arange(len(place))
    before, ranks = _before(columns[place]), of.rank[place]
    same = before[where[of.run]] - before[np.searchsorted(ranks, of.rank)]
    concordant += 0.5 * same
    comparable = _before(columns)[of.first]
    return comparable[of.died].T, concordant[of.died].T


def _by_order(time: Array, event: Array, risk: Array, weights: Array) -> tuple[Array, Array, Array]:
    """Rows of the deaths, and what `pair_weights` gives for them."""
    of = order(time, event, risk)
    return of.sequence[of.died], *pair_weights(of, weights)


def _every_pair(time: Array, event: Array, risk: Array, weights: Array) -> tuple[Array, Array, Array]:
    """The same by two matrices of all pairs: less work than sorting where there are few rows, as in an outer fold."""
    if not np.isfinite(risk).all():
        raise DataError("risk", f"{np.sum(~np.isfinite(risk))} values are not finite", "Check the fit that made them")
    died, columns = np.flatnonzero(event), np.asarray(weights, float)
    later = time[None, :] > time[died, None]
    comparable = later | ((time[None, :] == time[died, None]) & ~event[None, :])
    concordant = comparable * ((risk[died, None] > risk) + 0.5 * (risk[died, None] == risk))
    return died, columns @ comparable.T.astype(float), columns @ concordant.T


def _before(columns: Array) -> Array:
    """The sum of all rows above each, (n, B)."""
    return np.asarray(np.cumsum(columns, axis=0) - columns)


def weighted_concordance(
    time: Array, event: Array, risk: Array, weights: Array, death_weights: Array | None = None,
    strata: Array | None = None,
) -> Array:  # fmt: skip
    """C for each row of `weights` (B, n), (B,); NaN where no pair is comparable.

    `death_weights` (B, n) weigh a pair by its first death, `weights` by its second patient; the same unless given.
    With `strata` (n,) only pairs within a stratum are compared, as by `strata()` in R's survival::concordance.
    """
    first = weights if death_weights is None else death_weights
    event = np.asarray(event, bool)
    all_concordant, all_comparable = np.zeros(len(weights)), np.zeros(len(weights))
    for own in strata_of(strata, len(time)):
        compare = _every_pair if len(own) <= _DENSE else _by_order
        died, comparable, concordant = compare(time[own], event[own], risk[own], weights[:, own])
        of_deaths = first[:, own[died]]
        all_comparable += np.einsum("bj,bj->b", of_deaths, comparable)
        all_concordant += np.einsum("bj,bj->b", of_deaths, concordant)
    return ratio(all_concordant, all_comparable)


def concordance(time: Array, event: Array, risk: Array) -> float:
    """Harrell's C in [0, 1]; one risk for everyone gives ½, no comparable pair is a DataError."""
    time, event, risk = np.asarray(time, float), np.asarray(event, bool), np.asarray(risk, float)
    value = weighted_concordance(time, event, risk, np.ones((1, len(risk))))[0]
    if np.isnan(value):
        raise DataError(
            "concordance", "no comparable pair of patients", "Use patients who die during others' follow-up"
        )
    return float(value)
