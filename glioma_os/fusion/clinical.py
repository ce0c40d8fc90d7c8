"""How clinical variables were recorded, and which of them a model can use here or in another cohort."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from glioma_os.errors import DataError
from glioma_os.fusion.rows import CLINICAL_VARIABLES, Rows, column_places
from glioma_os.records import Array

MOST_MISSING = 1 / 3  # of the training patients, for a variable that another cohort is predicted with
FEWEST_OF_LEVEL = 0.1  # of the recorded: below it a coefficient rests on a handful of patients
CHANCE = 0.001  # two-sided p below which a difference between cohorts is called drift


@dataclass(frozen=True)
class Recording:
    """One variable in one cohort: the share of patients in which it is recorded, and what is seen there.

    `mean` of each column among the recorded (a share for 0/1 columns); `rarer` the smaller share of its first column's
    two levels, NaN for age and KPS.
    """

    variable: str
    recorded: float
    mean: tuple[float, ...]
    rarer: float


def recordings(rows: Rows, variables: Sequence[str]) -> list[Recording]:
    """One entry per variable."""
    return [_recording(rows, name) for name in variables]


def _recording(rows: Rows, name: str) -> Recording:
    values = rows.clinical[:, column_places([name])]
    known = values[~np.isnan(values[:, 0])]
    means = tuple(float(mean) for mean in known.mean(axis=0)) if len(known) else (float("nan"),) * values.shape[1]
    binary = name not in ("age", "kps")
    rarer = min(means[0], 1 - means[0]) if binary and len(known) else float("nan")
    return Recording(name, len(known) / len(values), means, rarer)


def usable_here(rows: Rows, variables: Sequence[str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Variables that this cohort's own patients can be predicted with, and why others cannot: those that are never
    recorded or the same in everybody. Age is always kept. No outcome is looked at."""
    dropped: dict[str, str] = {}
    for name in variables:
        values = rows.clinical[:, column_places([name])]
        known = values[~np.isnan(values).any(axis=1)]
        if name == "age" or (len(known) and np.ptp(known, axis=0).any()):
            continue
        dropped[name] = "the same in every patient" if len(known) else "not recorded"
    return _some(tuple(name for name in variables if name not in dropped), dropped), dropped


def _some(kept: tuple[str, ...], dropped: dict[str, str]) -> tuple[str, ...]:
    """`kept`; none is a DataError that says why."""
    if not kept:
        reasons = ", ".join(f"{name} ({reason})" for name, reason in dropped.items())
        raise DataError(
            "validation.clinical", f"no usable variable found: {reasons}", "Add age or another recorded variable"
        )
    return kept


def usable_there(
    train: Rows, test: Rows, variables: Sequence[str]
) -> tuple[tuple[str, ...], dict[str, str], list[str]]:
    """Variables that patients of another cohort can be predicted with, why others cannot, and warnings of drift.

    Where a variable is rarely recorded in training, the model fits what its absence meant there; one that is nearly the
    same in everybody rests on a handful of patients. Neither carries over, so both are dropped. A prevalence that
    differs beyond chance may be another definition: it is reported, and the variable is kept.
    """
    kept, dropped = usable_here(train, variables)
    for own, other in zip(recordings(train, kept), recordings(test, kept), strict=True):
        if own.variable == "age":
            continue
        if min(own.recorded, other.recorded) < 1 - MOST_MISSING:
            where = "training" if own.recorded < 1 - MOST_MISSING else "test"
            share = own.recorded if where == "training" else other.recorded
            dropped[own.variable] = f"recorded in {share:.0%} of the {where} patients"
        elif own.rarer < FEWEST_OF_LEVEL:
            dropped[own.variable] = f"nearly constant in training ({own.rarer:.0%} in the rarer level)"
    kept = _some(tuple(name for name in kept if name not in dropped), dropped)
    return kept, dropped, [text for name in kept for text in _drift_of(train, test, name)]


def _drift_of(train: Rows, test: Rows, name: str) -> list[str]:
    """A sentence per column of a 0/1 variable whose prevalence differs beyond chance."""
    if name in ("age", "kps"):
        return []
    found = []
    for column, place in zip(CLINICAL_VARIABLES[name], column_places([name]), strict=True):
        own, other = (_known(rows.clinical[:, place]) for rows in (train, test))
        if two_proportion_p(own, other) < CHANCE:
            found.append(
                f"{column}: {own.mean():.0%} in training, {other.mean():.0%} in the test cohort, more than chance "
                "explains: check that both define it alike"
            )
    return found


def _known(values: Array) -> Array:
    return values[~np.isnan(values)]


def two_proportion_p(first: Array, second: Array) -> float:
    """Two-sided p of equal proportions of 0/1 values (n,) and (m,), pooled z-test; 1 where nothing varies."""
    pooled = float(np.concatenate([first, second]).mean())
    variance = pooled * (1 - pooled) * (1 / len(first) + 1 / len(second))
    return float(2 * norm.sf(abs(first.mean() - second.mean()) / np.sqrt(variance))) if variance > 0 else 1.0
