"""What a sweep's factors do: paired over patients, over everything else that jobs share, with multiplicity stated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from glioma_os.errors import DataError
from glioma_os.records import Array
from glioma_os.survival.bootstrap import interval

Factors = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Observation:
    """One number of one job: `values` (1 + B,), the number and its patient-bootstrap replicates, NaN = undefined.

    Observations of the same patients have the same patients in the same replicate, so differences are paired.
    `baseline` (1 + B,): age alone, where the number has such a row. `factors`: (name, level), the seed left out.
    """

    factors: Factors
    seed: str
    metric: str
    values: Array
    n: int
    baseline: Array | None = None


@dataclass(frozen=True)
class Cell:
    """Mean over the seeds of one combination of levels; `seed_sd` NaN with one seed. Δ to age NaN without one."""

    factors: Factors
    metric: str
    value: float
    low: float
    high: float
    n: int
    seeds: int
    seed_sd: float
    delta_to_age: float
    delta_low: float
    delta_high: float


@dataclass(frozen=True)
class Effect:
    """`level` minus `reference` of a factor, mean over `pairs` of jobs alike in all else; two-sided bootstrap p, and
    Holm's correction over all effects on the metric."""

    factor: str
    level: str
    reference: str
    metric: str
    value: float
    low: float
    high: float
    pairs: int
    p: float
    p_holm: float = field(default=float("nan"))


def cells(observations: Sequence[Observation]) -> list[Cell]:
    """One per metric and combination of levels, best first within a metric."""
    out = []
    for (metric, factors), own in _group(observations).items():
        mean = np.mean([one.values for one in own], axis=0)
        aged = [one.values - one.baseline for one in own if one.baseline is not None]
        to_age = (float("nan"),) * 3
        if len(aged) == len(own):
            delta = np.mean(aged, axis=0)
            to_age = (float(delta[0]), *interval(delta[1:])[:2])
        sd = float(np.std([one.values[0] for one in own], ddof=1)) if len(own) > 1 else float("nan")
        n = round(float(np.mean([one.n for one in own])))
        out.append(Cell(factors, metric, float(mean[0]), *interval(mean[1:])[:2], n, len(own), sd, *to_age))
    metrics = list(dict.fromkeys(one.metric for one in observations))
    return sorted(out, key=lambda cell: (metrics.index(cell.metric), -cell.value))


def effects(observations: Sequence[Observation]) -> list[Effect]:
    """Every level against the first level of its factor, on every metric where jobs differ in that factor alone."""
    out: list[Effect] = []
    for metric in dict.fromkeys(one.metric for one in observations):
        own = [one for one in observations if one.metric == metric]
        raw = []
        for factor in dict.fromkeys(name for one in own for name, _ in one.factors):
            levels = list(dict.fromkeys(dict(one.factors)[factor] for one in own if factor in dict(one.factors)))
            found = [_effect(own, metric, factor, level, levels[0]) for level in levels[1:]]
            raw += [effect for effect in found if effect is not None]
        out += _holm(raw)
    return out


def _group(observations: Sequence[Observation]) -> dict[tuple[str, Factors], list[Observation]]:
    found: dict[tuple[str, Factors], list[Observation]] = {}
    for one in observations:
        own = found.setdefault((one.metric, one.factors), [])
        if any(other.seed == one.seed for other in own):
            raise DataError(
                "runs",
                f"two jobs with {dict(one.factors)}, seed {one.seed}, found → one expected",
                "Collect one sweep at a time",
            )
        own.append(one)
    return found


def _effect(own: Sequence[Observation], metric: str, factor: str, level: str, reference: str) -> Effect | None:
    """None where no two jobs differ in this factor alone."""

    def others(one: Observation) -> tuple[Factors, str]:
        return tuple(pair for pair in one.factors if pair[0] != factor), one.seed

    sides = {others(one): one for one in own if dict(one.factors).get(factor) == reference}
    pairs = [
        (one, sides[others(one)]) for one in own if dict(one.factors).get(factor) == level and others(one) in sides
    ]
    if not pairs:
        return None
    difference = np.mean([one.values - other.values for one, other in pairs], axis=0)
    low, high, _ = interval(difference[1:])
    return Effect(
        factor, level, reference, metric, float(difference[0]), low, high, len(pairs), bootstrap_p(difference[1:])
    )


def bootstrap_p(differences: Array) -> float:
    """Two-sided p of no difference: twice the smaller share of replicates on one side of 0, itself counted in."""
    defined = differences[~np.isnan(differences)]
    smaller = min(np.sum(defined <= 0), np.sum(defined >= 0))
    return float(min(1.0, 2 * (smaller + 1) / (len(defined) + 1)))


def _holm(raw: Sequence[Effect]) -> list[Effect]:
    """Holm 1979: the k-th smallest of m p-values times m − k, never below the one before."""
    order = sorted(range(len(raw)), key=lambda place: raw[place].p)
    corrected, running = {}, 0.0
    for rank, place in enumerate(order):
        running = max(running, min(1.0, raw[place].p * (len(raw) - rank)))
        corrected[place] = running
    return [Effect(**{**effect.__dict__, "p_holm": corrected[place]}) for place, effect in enumerate(raw)]
