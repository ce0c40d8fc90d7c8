"""Drift: how another cohort's inputs and outcomes differ from the training cohort's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from glioma_os.fusion.clinical import CHANCE
from glioma_os.fusion.rows import CLINICAL_COLUMNS, Rows
from glioma_os.records import Array
from glioma_os.survival.curves import kaplan_meier, log_rank

LARGE = 0.25  # standard deviations: smaller differences hardly move a prediction


@dataclass(frozen=True)
class Drift:
    """One variable: means, difference in pooled standard deviations, the share that is not recorded, and a verdict.

    `verdict`: "not recorded" in one of them; "shifted" where the difference is both beyond chance (p < .001) and more
    than a quarter of a standard deviation; else "alike".
    """

    name: str
    known: float
    others: float
    difference_sd: float
    known_missing: float
    others_missing: float
    verdict: str


def _drift(name: str, known: Array, others: Array) -> Drift:
    def mean(values: Array) -> float:
        return float(np.nanmean(values)) if not np.isnan(values).all() else float("nan")

    def variance(values: Array) -> float:
        return float(np.nanvar(values)) if not np.isnan(values).all() else float("nan")

    spread = np.sqrt((variance(known) + variance(others)) / 2)
    gap = mean(others) - mean(known)
    n, m = (int(np.sum(~np.isnan(values))) for values in (known, others))
    error = np.sqrt(variance(known) / n + variance(others) / m) if n and m else float("nan")
    shifted = spread > 0 and abs(gap) > max(LARGE * spread, norm.isf(CHANCE / 2) * error)
    return Drift(
        name,
        mean(known),
        mean(others),
        float(gap / spread) if spread > 0 else (0.0 if gap == 0 else float("nan")),
        float(np.isnan(known).mean()),
        float(np.isnan(others).mean()),
        "shifted" if shifted else "alike" if n and m else "not recorded",
    )


def _median_survival(rows: Rows) -> float:
    """Days at which half are dead (Kaplan–Meier); the last time seen where more than half live on."""
    curve = kaplan_meier(rows.time, rows.event)
    below = curve.survival <= 0.5
    return float(curve.times[below.argmax()] if below.any() else curve.times[-1])


def drift(known: Rows, others: Rows) -> list[Drift]:
    """Clinical variables, share of deaths, and median survival in days: "shifted" by a log-rank p below .001."""
    lines = [_drift(name, known.clinical[:, k], others.clinical[:, k]) for k, name in enumerate(CLINICAL_COLUMNS)]
    lines.append(_drift("died", known.event.astype(float), others.event.astype(float)))
    medians = _median_survival(known), _median_survival(others)
    group = np.arange(len(known.time) + len(others.time)) < len(known.time)
    both = np.concatenate([known.time, others.time]), np.concatenate([known.event, others.event])
    shifted = both[1].any() and log_rank(*both, group).p < CHANCE
    return [
        *lines,
        Drift("median_survival_days", *medians, float("nan"), 0.0, 0.0, "shifted" if shifted else "alike"),
    ]
