"""Harrell's concordance: of two patients, does the one who died first carry the higher risk?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from glioma_os.errors import DataError
from glioma_os.records import Array


class Pairs(NamedTuple):
    """Rows that died × all rows: `usable` 0/1, `won` 1, ½ (equal risk) or 0; `died` the index of each first axis."""

    died: Array
    usable: Array
    won: Array


def pairs(time: Array, event: Array, risk: Array) -> Pairs:
    """Every comparable pair: the first died before the second was last seen (Harrell 1982).

    At equal times a death precedes a censoring, and two deaths are not comparable (as in scikit-survival).
    """
    time, risk, event = np.asarray(time, float), np.asarray(risk, float), np.asarray(event, bool)
    if not np.isfinite(risk).all():
        raise DataError("risk", f"{np.sum(~np.isfinite(risk))} values are not finite", "Check the fit that made them")
    died = np.flatnonzero(event)
    later = time[None, :] > time[died, None]
    same_day_censored = (time[None, :] == time[died, None]) & ~event[None, :]
    usable = (later | same_day_censored).astype(float)
    difference = risk[died, None] - risk[None, :]
    return Pairs(died, usable, usable * ((difference > 0) + 0.5 * (difference == 0)))


def weighted_concordance(of: Pairs, weights: Array) -> Array:
    """C for each row of `weights` (B, n), (B,); NaN where no pair is comparable."""
    first = weights[:, of.died]
    usable = np.einsum("bj,bj->b", first @ of.usable, weights)
    won = np.einsum("bj,bj->b", first @ of.won, weights)
    return np.divide(won, usable, out=np.full(len(weights), np.nan), where=usable > 0)


def concordance(time: Array, event: Array, risk: Array) -> float:
    """Harrell's C in [0, 1]; one risk for everyone gives ½, no comparable pair is a DataError."""
    value = weighted_concordance(pairs(time, event, risk), np.ones((1, len(risk))))[0]
    if np.isnan(value):
        raise DataError("concordance", "no comparable pair of patients", "At least one death before another's end")
    return float(value)
