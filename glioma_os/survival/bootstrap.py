"""Patient-level bootstrap: replicates are weights, so a metric of 2,000 samples is a few matrix products."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from glioma_os.errors import ConfigError, DataError
from glioma_os.records import Array
from glioma_os.survival import calibration, classification, concordance, ipcw
from glioma_os.survival.curves import median_days


@dataclass(frozen=True)
class Sample:
    """Predictions and observed outcomes, one row per case. `classes` −1 = not evaluable; risk: higher = worse.

    `curves` (n, H) = S(t) at `horizons_days` (H,), where there are any. `strata` (n,): ranking metrics compare only
    rows of the same stratum; outer folds are strata, since each fold's model has a scale of its own.
    """

    time: Array
    event: Array
    risk: Array
    classes: Array | None = None
    probabilities: Array | None = None
    curves: Array | None = None
    horizons_days: Array | None = None
    strata: Array | None = None

    def of_curves(self) -> tuple[Array, Array]:
        """`curves` (n, H) and `horizons_days` (H,); a ConfigError where there are none."""
        if self.curves is None or self.horizons_days is None:
            raise ConfigError("metric", "no survival curves found → curves expected", "Set validation.horizons_days")
        return self.curves, self.horizons_days

    def of_classes(self) -> tuple[Array, Array]:
        """`classes` (n,) and `probabilities` (n, K); a ConfigError where the endpoint has none."""
        if self.classes is None or self.probabilities is None:
            raise ConfigError("metric", "no class probabilities found → some expected", "Use a class endpoint")
        return self.classes, self.probabilities

    def determined(self) -> Array:
        """Rows (n,) bool whose class is known."""
        return self.of_classes()[0] >= 0

    def rows(self, used: Array) -> Sample:
        """The rows picked by a mask (n,) or by indices."""
        classes, probabilities, curves, strata = (
            None if part is None else part[used]
            for part in (self.classes, self.probabilities, self.curves, self.strata)
        )
        return Sample(
            self.time[used], self.event[used], self.risk[used], classes, probabilities, curves, self.horizons_days,
            strata,
        )  # fmt: skip


class Interval(NamedTuple):
    """Percentile interval. `dropped`: replicates that lacked a class or an event."""

    low: float
    high: float
    dropped: int


class Metric(NamedTuple):
    """`measure(sample, weights (B, n))` → (B,), NaN where undefined; `uses(sample)` the rows (n,) that count."""

    measure: Callable[[Sample, Array], Array]
    uses: Callable[[Sample], Array]

    def __call__(self, sample: Sample, weights: Array | None = None) -> Array:
        """Values (B,); without weights (1,), and then an undefined value is a DataError."""
        used = self.uses(sample)
        values = self.measure(
            sample.rows(used), np.ones((1, used.sum())) if weights is None else weights[:, used].astype(float)
        )
        if weights is None and np.isnan(values[0]):
            raise DataError("metric", "undefined: a class, an event or a comparable pair is missing", "Use more rows")
        return values


def bootstrap_weights(n: int, replicates: int, seed: int) -> Array:
    """How often each of n patients is drawn in each replicate, (replicates, n) int."""
    return np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=replicates)


def interval(values: Array, level: float = 0.95) -> Interval:
    """Percentile interval over the replicates that are defined; none defined is a DataError."""
    defined = values[~np.isnan(values)]
    if not len(defined):
        raise DataError("bootstrap", "every replicate lacks a class or an event", "Use more patients")
    low, high = np.quantile(defined, [0.5 - level / 2, 0.5 + level / 2])
    return Interval(float(low), float(high), int(len(values) - len(defined)))


def _auc(sample: Sample, weights: Array) -> Array:
    """Binary: of the risk for the shorter class. More classes: macro one-versus-rest of the probabilities."""
    classes, probabilities = sample.of_classes()
    if probabilities.shape[1] == 2:
        return classification.auc(classes == 0, sample.risk, weights, sample.strata)
    return classification.macro_auc(classes, probabilities, weights, sample.strata)


def _concordance(sample: Sample, weights: Array) -> Array:
    return concordance.weighted_concordance(sample.time, sample.event, sample.risk, weights, strata=sample.strata)


def _spearman(sample: Sample, weights: Array) -> Array:
    return classification.spearman(-sample.risk, sample.time, weights, sample.strata)


def _of_confusion(measure: Callable[[Array], Array]) -> Metric:
    def of_sample(sample: Sample, weights: Array) -> Array:
        classes, probabilities = sample.of_classes()
        predicted = probabilities.argmax(axis=1)
        return measure(classification.confusion(classes, predicted, probabilities.shape[1], weights))

    return Metric(of_sample, Sample.determined)


def _uno(sample: Sample, weights: Array) -> Array:
    return ipcw.uno_concordance(sample.time, sample.event, sample.risk, weights, sample.strata)


def _dynamic_auc(sample: Sample, weights: Array) -> Array:
    horizons = sample.of_curves()[1]
    return ipcw.mean_dynamic_auc(sample.time, sample.event, sample.risk, horizons, weights, sample.strata)


def _integrated_brier(sample: Sample, weights: Array) -> Array:
    return ipcw.integrated_brier(sample.time, sample.event, *sample.of_curves(), weights)


def _squared_errors(sample: Sample) -> Array:
    """(days predicted − days lived)², (n,)."""
    return np.asarray((median_days(*sample.of_curves()) - sample.time) ** 2)


def _mean_squared_error(sample: Sample, weights: Array) -> Array:
    return np.asarray(weights @ _squared_errors(sample) / weights.sum(axis=1))


def _median_squared_error(sample: Sample, weights: Array) -> Array:
    errors = _squared_errors(sample)
    order = np.argsort(errors, kind="stable")
    held = weights[:, order].cumsum(axis=1)
    return np.asarray(errors[order][np.argmax(held >= held[:, -1:] / 2, axis=1)])


def _brier(sample: Sample, weights: Array) -> Array:
    return calibration.brier(*sample.of_classes(), weights)


def _all(sample: Sample) -> Array:
    return np.ones(len(sample.risk), bool)


def _died(sample: Sample) -> Array:
    return np.asarray(sample.event, bool)


TIME_METRICS: dict[str, Metric] = {
    "c_index": Metric(_concordance, _all),
    "c_uno": Metric(_uno, _all),
    "spearman": Metric(_spearman, _died),
}
CURVE_METRICS: dict[str, Metric] = {
    "td_auc": Metric(_dynamic_auc, _all),
    "ibs": Metric(_integrated_brier, _all),
    "mse_days2": Metric(_mean_squared_error, _died),
    "median_se_days2": Metric(_median_squared_error, _died),
}
CLASS_METRICS: dict[str, Metric] = {
    "auc": Metric(_auc, Sample.determined),
    "f1_macro": _of_confusion(classification.f1_macro),
    "f1_weighted": _of_confusion(classification.f1_weighted),
    "accuracy": _of_confusion(classification.accuracy),
    "balanced_accuracy": _of_confusion(classification.balanced_accuracy),
    "brier": Metric(_brier, Sample.determined),
}
METRICS: dict[str, Metric] = {**CLASS_METRICS, **TIME_METRICS, **CURVE_METRICS}
