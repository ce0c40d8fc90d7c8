"""From out-of-fold predictions to the numbers of a report: none without interval, n and difference to age alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glioma_os.errors import ConfigError
from glioma_os.fusion.validation import Configuration, ValidationResult
from glioma_os.records import Array
from glioma_os.survival.bootstrap import (
    CLASS_METRICS,
    METRICS,
    TIME_METRICS,
    Metric,
    Sample,
    bootstrap_weights,
    interval,
    paired_difference,
)
from glioma_os.survival.endpoints import Endpoint


@dataclass(frozen=True)
class Score:
    """One number. `n` patients it rests on (mean over repeats where the cuts move); `dropped` replicates without it.

    `delta_to_age` with its paired interval: this configuration minus age alone, on the same replicates.
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


def score(result: ValidationResult, endpoint: Endpoint, replicates: int = 2000, seed: int = 0) -> list[Score]:
    """Every metric of every configuration: averaged over repeats, patients drawn the same in each repeat.

    The interval says how the number moves with the patients at hand; it holds the fitted predictions fixed.
    """
    if endpoint != result.endpoint:
        raise ConfigError("endpoint", f"{endpoint.name} found → {result.endpoint.name} validated", "Validate again")
    names = [*CLASS_METRICS, *TIME_METRICS] if endpoint.n_classes else list(TIME_METRICS)
    weights = _row_weights(result, replicates, seed)
    return [line for name in names for line in _of_metric(result, name, weights)]


def _row_weights(result: ValidationResult, replicates: int, seed: int) -> Array:
    """(replicates, cases): a patient's count on each of the patient's cases."""
    of_first = np.asarray(result.truth.patient_ids)[result.truth.repeat == 0]
    patients, place = np.unique(of_first, return_inverse=True)
    return bootstrap_weights(len(patients), replicates, seed)[:, place]


def samples_of(result: ValidationResult, configuration: Configuration) -> list[Sample]:
    """The predictions of a configuration, one Sample per repeat, cases in the same order in each."""
    truth, table = result.truth, configuration.table
    whole = Sample(truth.time, truth.event, table.risk, truth.classes, table.probabilities)
    return [whole.rows(truth.repeat == repeat) for repeat in np.unique(truth.repeat)]


def _of_metric(result: ValidationResult, name: str, weights: Array) -> list[Score]:
    metric = METRICS[name]
    reference = _averaged(metric, samples_of(result, result.age), weights)
    lines = []
    for configuration in result.configurations:
        samples = samples_of(result, configuration)
        point, replicated = _averaged(metric, samples, weights)
        low, high, dropped = interval(replicated)
        delta = paired_difference(replicated, reference[1])
        n = round(float(np.mean([_patients(result, metric.uses(sample)) for sample in samples])))
        difference = point - reference[0]
        lines.append(
            Score(
                configuration.head,
                configuration.block,
                name,
                point,
                low,
                high,
                n,
                difference,
                delta.low,
                delta.high,
                dropped,
            )
        )
    return lines


def _averaged(metric: Metric, samples: list[Sample], weights: Array) -> tuple[float, Array]:
    """The value and its replicates (B,), each the mean over repeats."""
    point = float(np.mean([metric(sample)[0] for sample in samples]))
    return point, np.mean([metric(sample, weights) for sample in samples], axis=0)


def _patients(result: ValidationResult, used: Array) -> int:
    of_first = np.asarray(result.truth.patient_ids)[result.truth.repeat == 0]
    return len(set(of_first[used]))
