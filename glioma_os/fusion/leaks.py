"""Columns of a feature table that give the outcome away, and tables that look as if the outcome had chosen them."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.special import gammaln
from scipy.stats import chi2, rankdata
from scipy.stats import t as student

from glioma_os.records import Array
from glioma_os.survival.concordance import weighted_concordance
from glioma_os.survival.curves import log_rank_scores

NO_NAME = re.compile(r"(unnamed: \d+(_level_\d+)?)?", re.IGNORECASE)  # what pandas calls a column without a header
MIN_ROWS = 5  # fewer rows can be numbered, or in any order, by chance
SAME_ORDER = 0.98  # |gamma| or |rho| from which a column orders patients as the outcome does
OVERWHELMING = 1e-8  # p from which such an order is no accident of a rare value
MOST_CLASSES = 5  # distinct values of a column that may be a class of the days
MIN_COLUMNS, MOST_ALIKE = 10, 0.5  # a selection is looked for in this many columns that correlate less than this
RELATED_Z, RELATED_SHARE = 1.645, 0.9  # nearly all of them are related to the outcome (two-sided p < .1) …
MOST_COMMON = 0.05  # … their mean correlation, beyond what the outcome explains, is no more than this …
EVEN_P = 1e-3  # … and they are so equally strongly
ONE_YEAR_DAYS = 365.0
IMPLAUSIBLE_C, MIN_PATIENTS = 0.75, 30  # C of a single column; patients who must have it


@dataclass(frozen=True)
class Finding:
    """A column, and why it must not be a feature."""

    column: str
    reason: str


@dataclass(frozen=True)
class Suspicion:
    """Columns that the outcome of all patients seems to have selected, and the evidence."""

    columns: tuple[str, ...]
    reason: str


def leaking_columns(
    names: Sequence[str], values: Array, time: Array, event: Array, row_numbers: Collection[str] = ()
) -> list[Finding]:
    """Columns without a name, equal to the row number (`row_numbers`, by name), or that tell the outcome.

    `values` (cases, columns), blanks NaN; `time` (cases,) days; `event` (cases,) True = died. A column tells the
    outcome if it orders patients as days, event, or days among comparable pairs do (|gamma| or |rho| > .98), or if
    patients sorted by days fall into runs of its values (a class of the days, coded in any way), and chance is no
    explanation (p < 1e-8; a median split reaches that from 28 patients on, a rare binary value never).
    """
    event = np.asarray(event, bool)
    ranked: dict[bytes, Array] = {}  # recorded rows → ranks of the outcome; most columns record the same
    out = []
    for place, name in enumerate(names):
        reason = ""
        if NO_NAME.fullmatch(name.rpartition("/")[2].strip()):
            reason = "has no name"
        elif name in row_numbers:
            reason = "is the row number"
        else:
            known = np.isfinite(values[:, place])
            if known.tobytes() not in ranked and known.sum() >= MIN_ROWS:
                ranked[known.tobytes()] = _outcome_ranks(time[known], event[known])
            if known.sum() >= MIN_ROWS:
                column = np.asarray(values[known, place], float)
                reason = _outcome_given(column, time[known], event[known], ranked[known.tobytes()])
        if reason:
            out.append(Finding(name, reason))
    return out


def is_row_number(values: Array) -> bool:
    """Whether a column (rows of the file, in its order) holds consecutive integers, up or down."""
    if len(values) < MIN_ROWS or not np.isfinite(values).all() or values[0] != np.round(values[0]):
        return False
    steps = np.diff(values)
    return bool(abs(steps[0]) == 1 and (steps == steps[0]).all())


def _outcome_ranks(time: Array, event: Array) -> Array:
    """Standardised ranks (3, n) of days, event and log-rank scores."""
    targets = (time, event, log_rank_scores(time, event))
    return np.stack([_standardize(rankdata(target)) for target in targets])


def _outcome_given(column: Array, time: Array, event: Array, ranked: Array) -> str:
    """How a column without blanks gives the outcome away; blank if it does not. `ranked`: `_outcome_ranks`."""
    if column.min() == column.max():
        return ""
    days, died, pairs = ranked @ _standardize(rankdata(column)) / len(column)
    limit = _overwhelming_rho(len(column))
    if abs(days) > limit and _orders(column, days, np.sign(time[:, None] - time)):
        return "orders patients as the survival days do"
    if abs(died) > limit and _orders(column, died, np.sign(event[:, None] - event.astype(float))):
        return "orders patients as the event indicator does"
    if abs(pairs) > limit and _orders(column, pairs, _comparable(time, event)):
        return "orders comparable pairs of patients as the survival days do"
    return "is a class of the survival days" if _is_class(column, time) else ""


def _orders(column: Array, rho: float, signs: Array) -> bool:
    """Whether rho, or Goodman and Kruskal's gamma with `signs` (n, n; 1, 0, -1), is beyond the limit."""
    products = np.sign(column[:, None] - column) * signs
    untied = float(np.abs(products).sum())
    return abs(rho) > SAME_ORDER or (untied > 0 and abs(float(products.sum())) / untied > SAME_ORDER)


def _comparable(time: Array, event: Array) -> Array:
    """(n, n): -1 where the row died before the column's time, 1 the other way round, 0 if not comparable."""
    first = (event[:, None] & (time[:, None] < time)).astype(float)
    return first.T - first


@cache
def _overwhelming_rho(n: int) -> float:
    """The rank correlation of n patients whose two-sided p, by Student's t, is the limit."""
    t = float(student.isf(OVERWHELMING / 2, n - 2))
    return t / float(np.sqrt(n - 2 + t**2))


def _is_class(column: Array, time: Array) -> bool:
    """Whether each of the few values of a column stands together once patients are sorted by days, or one of two
    values in one stretch, and not by chance: the arrangements that do, over all arrangements of the values."""
    levels, counts = np.unique(column, return_counts=True)
    n, k = len(column), len(levels)
    if k > MOST_CLASSES:
        return False
    changes = np.count_nonzero(np.diff(column[np.lexsort((column, time))]))
    if changes >= k and (k, changes) != (2, 2):
        return False
    like_this = gammaln(k + 1) if changes < k else np.log(n)
    every = gammaln(n + 1) - gammaln(counts + 1).sum()
    return bool(like_this - every < np.log(OVERWHELMING))


def _standardize(values: Array) -> Array:
    """Mean 0 and variance 1 down the rows; a constant column becomes 0."""
    spread = values.std(axis=0)
    return np.asarray((values - values.mean(axis=0)) / np.where(spread > 0, spread, 1.0), float)


def suspected_selection(names: Sequence[str], values: Array, time: Array, event: Array) -> Suspicion | None:
    """Whether the columns look as if they had been selected by the outcome of all patients, outside the folds.

    Independent columns scatter: their z against the outcome have an sd of 1 from sampling alone, whatever the true
    effects are, and more where effects differ. Columns that passed a cut on the outcome do not: noise above a cut has
    an sd of about .35. Among columns that correlate less than .5 with each other, 10 or more of them, the table is
    suspected if 90 % reach p < .1 and the spread of their |z| is less than sampling gives (chi-square, p < 1e-3),
    while they share no more than the outcome explains (one factor behind all of them is no selection). The outcome
    is days, log days, log-rank scores, tercile, median and one-year class; columns are taken as they are and as ranks.

    By simulation (40 to 400 patients, 12 or 30 columns): no false alarm in 12,000 honest tables (no effect, three
    strong effects, many small ones, five factors, one factor that correlates .7 with log survival); at most 1 % of 400
    tables whose independent effects are all exactly equal, and as many behind one factor that correlates .9. It finds
    all selections of 20 of 2,000 noise columns by median or log days (40 to 608 patients), about half of those by the
    days themselves from long-tailed columns, 60 to 85 % of 10 of 500 and of 20 of 200. Not found: selections among
    columns that measure the same, of fewer than 10, or that stand among columns that were not selected.
    """
    kept = _nearly_independent(values)
    if len(kept) < MIN_COLUMNS:
        return None
    shown = np.asarray(values[:, kept], float)
    filled = np.where(np.isfinite(shown), shown, np.nanmedian(np.where(np.isfinite(shown), shown, np.nan), axis=0))
    deaths = np.asarray(event, bool)
    for used in (np.ones(len(time), bool), deaths):  # a selection may have been made among the deaths alone
        if used.sum() < MIN_ROWS or (used is deaths and deaths.all()):
            continue
        for columns in (_standardize(filled[used]), _standardize(rankdata(filled[used], axis=0))):
            for target in _targets(time[used], deaths[used]):
                z = columns.T @ _standardize(target) / np.sqrt(used.sum())
                if _too_even(columns, z):
                    reason = (
                        f"{np.mean(np.abs(z) > RELATED_Z):.0%} of {len(kept)} nearly uncorrelated columns are related "
                        "to survival (p < .1) and equally strongly "
                        f"(sd of |z| {np.abs(z).std(ddof=1):.2f} → about 1 expected)"
                    )
                    return Suspicion(tuple(names), reason)
    return None


def implausible_columns(names: Sequence[str], values: Array, time: Array, event: Array) -> Suspicion | None:
    """Columns that alone rank survival better than anything known of glioma does: C of .75 or more either way (age
    alone has about .63). Missing values are left out; a column recorded in fewer than 30 patients is not evaluated."""
    found = []
    for place, name in enumerate(names):
        known = np.isfinite(values[:, place])
        if known.sum() < MIN_PATIENTS or not np.asarray(event, bool)[known].any():
            continue
        column = np.asarray(values[known, place], float)
        ones = np.ones((1, int(known.sum())))
        c = float(weighted_concordance(time[known], np.asarray(event, bool)[known], column, ones)[0])
        if max(c, 1 - c) >= IMPLAUSIBLE_C:
            found.append((name, max(c, 1 - c)))
    if not found:
        return None
    shown = ", ".join(f"{name!r} alone has C {c:.2f}" for name, c in found[:5])
    return Suspicion(tuple(name for name, _ in found), f"{shown}: no single feature of glioma is known to rank so well")


def _nearly_independent(values: Array) -> list[int]:
    """Columns, in their order, that are mostly recorded, vary, and correlate less than .5 (ranks) with those before."""
    known = np.isfinite(values)
    usable = [
        place for place in np.flatnonzero(known.mean(axis=0) >= 0.5)
        if np.ptp(values[known[:, place], place]) > 0
    ]  # fmt: skip
    filled = [np.where(known[:, p], values[:, p], np.median(values[known[:, p], p])) for p in usable]
    ranks = [_standardize(rankdata(column)) for column in filled]
    kept: list[int] = []
    for place, own in enumerate(ranks):
        if not kept or np.abs(np.array([ranks[other] for other in kept]) @ own).max() < MOST_ALIKE * len(own):
            kept.append(place)
    return [int(usable[place]) for place in kept]


def _targets(time: Array, event: Array) -> list[Array]:
    """What columns may have been selected by; each (cases,) and not constant."""
    thirds = np.searchsorted(np.quantile(time, [1 / 3, 2 / 3]), time)
    every = [time, np.log(time), rankdata(time), log_rank_scores(time, event), thirds.astype(float),
             (time > np.median(time)).astype(float), (time > ONE_YEAR_DAYS).astype(float)]  # fmt: skip
    return [target for target in every if np.ptp(target) > 0]


def _too_even(columns: Array, z: Array) -> bool:
    """The rule of `suspected_selection` for standardised columns (n, m) and their z (m,)."""
    m, size, sign = len(z), np.abs(z), np.sign(z)
    if np.mean(size > RELATED_Z) < RELATED_SHARE:
        return False
    aligned = (columns * sign).sum(axis=1)
    common = (float(aligned @ aligned) / len(columns) - m) / (m * (m - 1))
    explained = float(np.square(size.mean())) / len(columns)
    scatter = (m - 1) * float(size.var(ddof=1)) / max(1 - common, 1e-6)
    return common - explained <= MOST_COMMON and float(chi2.cdf(scatter, m - 1)) < EVEN_P
