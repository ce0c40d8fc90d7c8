"""From out-of-fold predictions to the numbers of a report: none without interval, n and difference to age alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from glioma_os.errors import ConfigError
from glioma_os.fusion.contrasts import reference_row
from glioma_os.fusion.results import Configuration, ValidationResult
from glioma_os.records import Array
from glioma_os.survival.bootstrap import (
    CLASS_METRICS,
    CURVE_METRICS,
    METRICS,
    TIME_METRICS,
    Interval,
    Sample,
    bootstrap_weights,
    interval,
)
from glioma_os.survival.endpoints import Endpoint
from glioma_os.survival.resampling import bca_interval, jackknife_weights


@dataclass(frozen=True)
class Score:
    """One number. `n` patients it rests on (mean over repeats where the cuts move); `dropped` replicates without it.

    `delta_to_age` with its paired interval: this configuration minus age alone, on the same replicates and folds;
    `delta_to_reference` likewise minus `reference` ("head block"), the same head on the same clinical variables without
    features (fusion.contrasts), NaN where there is none. `title`: the head's display name.
    """

    head: str
    block: str
    metric: str
    value: float
    low: float
    high: float
    n: int
    delta_to_age: float
    delta_low: float
    delta_high: float
    dropped: int
    reference: str = ""
    delta_to_reference: float = float("nan")
    reference_low: float = float("nan")
    reference_high: float = float("nan")
    title: str = ""

    @property
    def display_name(self) -> str:
        """The head's title; its name where a file of an earlier version has none."""
        return self.title or self.head


IntervalKind = Literal["percentile", "bca"]


def score(
    result: ValidationResult, endpoint: Endpoint, replicates: int = 2000, seed: int = 0,
    kind: IntervalKind = "percentile", metrics: Sequence[str] | None = None,
) -> list[Score]:  # fmt: skip
    """Every metric (or those named) of every configuration: averaged over repeats, patients drawn the same in each.

    The interval says how the number moves with the patients at hand; it holds the fitted predictions fixed.
    """
    if kind not in ("percentile", "bca"):
        raise ConfigError("validation.interval", f"{kind!r} found → percentile or bca expected", "Correct the value")
    if endpoint != result.endpoint:
        raise ConfigError("endpoint", f"{endpoint.name} found → {result.endpoint.name} validated", "Validate again")
    names = [*CLASS_METRICS, *TIME_METRICS] if endpoint.n_classes else list(TIME_METRICS)
    names += list(CURVE_METRICS) if len(result.horizons_days) > 1 else []
    names = names if metrics is None else [name for name in names if name in metrics]
    weights = _row_weights(result, replicates, seed, kind)
    return [line for name in names for line in _of_metric(result, name, weights, replicates)]


def point(result: ValidationResult, configuration: Configuration) -> float:
    """The primary metric without an interval: AUC, or C for the time to death."""
    name = "auc" if result.endpoint.n_classes else "c_index"
    return _average(result, name, configuration, np.empty((0, int(np.sum(result.truth.repeat == 0)))))[0]


def _row_weights(result: ValidationResult, replicates: int, seed: int, kind: IntervalKind) -> Array:
    """(replicates, cases): a patient's count on each of the patient's cases; for BCa each patient left out follows."""
    of_first = np.asarray(result.truth.patient_ids)[result.truth.repeat == 0]
    patients, place = np.unique(of_first, return_inverse=True)
    weights = bootstrap_weights(len(patients), replicates, seed)
    return (np.vstack([weights, jackknife_weights(len(patients))]) if kind == "bca" else weights)[:, place]


def _bounds(values: Array, point: float, replicates: int) -> Interval:
    """Percentile interval of the replicates; BCa where the values of left-out patients stand behind them."""
    found = interval(values[:replicates])
    if len(values) == replicates:
        return found
    return Interval(*bca_interval(values[:replicates], point, values[replicates:]), found.dropped)


def samples_of(result: ValidationResult, configuration: Configuration) -> list[Sample]:
    """The predictions of a configuration, one Sample per repeat, cases in the same order in each.

    Outer folds are strata: a fold's model has its own scale (cuts, intercept, penalty), so only patients that the same
    model predicted are ranked against each other, in every row alike.
    """
    truth, table = result.truth, configuration.table
    curves, days = table.curves, table.horizons_days
    if curves is not None and days is not None:
        used = np.isin(days, result.horizons_days)
        curves, days = curves[:, used], days[used]
    whole = Sample(truth.time, truth.event, table.risk, truth.classes, table.probabilities, curves, days, truth.fold)
    return [whole.rows(truth.repeat == repeat) for repeat in np.unique(truth.repeat)]


def _of_metric(result: ValidationResult, name: str, weights: Array, replicates: int) -> list[Score]:
    metric = METRICS[name]
    n = round(float(np.mean([_patients(result, metric.uses(sample)) for sample in samples_of(result, result.age)])))
    found = {}
    for configuration in result.configurations:
        found[configuration.head, configuration.block] = _average(result, name, configuration, weights)
    titles = {configuration.head: configuration.title for configuration in result.configurations}
    age_key = (result.age.head, result.age.block)
    lines = []
    for key, (point, replicated) in found.items():
        reference = reference_row(key, found.keys(), age_key)
        to_age, to_reference = (
            (point - found[other][0], *_bounds(replicated - found[other][1], point - found[other][0], replicates)[:2])
            if other
            else (float("nan"),) * 3
            for other in (age_key, reference)
        )
        low, high, dropped = _bounds(replicated, point, replicates)
        lines.append(
            Score(
                *key, name, point, low, high, n, *to_age, dropped, " ".join(reference or ()), *to_reference,
                title=titles[key[0]],
            )
        )  # fmt: skip
    return lines


def _average(result: ValidationResult, name: str, configuration: Configuration, weights: Array) -> tuple[float, Array]:
    """The value and its replicates (B,), each the mean over repeats. Class metrics carry the classes' weights."""
    metric, points, replicates = METRICS[name], [], []
    for repeat, sample in zip(np.unique(result.truth.repeat), samples_of(result, configuration), strict=True):
        own = np.ones(len(sample.risk))
        if name in CLASS_METRICS:
            own = result.truth.weights[result.truth.repeat == repeat]
        values = metric(sample, np.vstack([np.ones(len(own)), weights]) * own)
        if np.isnan(values[0]):
            metric(sample)  # says what is missing
        points.append(values[0])
        replicates.append(values[1:])
    return float(np.mean(points)), np.mean(replicates, axis=0)


def _patients(result: ValidationResult, used: Array) -> int:
    of_first = np.asarray(result.truth.patient_ids)[result.truth.repeat == 0]
    return len(set(of_first[used]))
