"""Which outcome is predicted, and what a censored patient counts as."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from glioma_os.errors import ConfigError, DataError
from glioma_os.records import Array
from glioma_os.survival.ipcw import censoring_kaplan_meier


@dataclass(frozen=True)
class Endpoint:
    """Survival classes cut at fixed days or at quantiles of the training rows, or the time to death itself.

    A time equal to a cut belongs to the longer class. BraTS counts day 450 as mid-term: with survival in whole days
    `cuts_days=(300, 451)` is its rule to the letter; (300, 450) differs only for a patient who lived 450 days.
    A patient censored before the cut is not evaluable: excluded and counted. `censored="ipcw"` also weights the
    others by inverse probability of censoring (IPCW).
    """

    name: str
    kind: Literal["classes", "time"] = "classes"
    cuts_days: tuple[float, ...] | None = None
    quantiles: tuple[float, ...] | None = None
    censored: Literal["exclude", "ipcw"] = "exclude"

    def __post_init__(self) -> None:
        where = f"endpoint {self.name}"
        if self.censored not in ("exclude", "ipcw"):
            raise ConfigError(
                where, f"censored {self.censored!r} found → exclude or ipcw expected", "Correct the value"
            )
        if self.kind not in ("classes", "time"):
            raise ConfigError(where, f"kind {self.kind!r} found → classes or time expected", "Correct the kind")
        given = [cuts for cuts in (self.cuts_days, self.quantiles) if cuts is not None]
        if len(given) != (1 if self.kind == "classes" else 0):
            raise ConfigError(
                where,
                f"kind {self.kind} with {len(given)} lists of cuts",
                "Give either cuts_days or quantiles for classes, neither for time",
            )
        if not given:
            return
        cuts = np.asarray(given[0], dtype=float)
        limit = np.inf if self.quantiles is None else 1.0
        if cuts.ndim != 1 or not cuts.size or not np.all((cuts > 0) & (cuts < limit)) or np.any(np.diff(cuts) <= 0):
            raise ConfigError(where, f"cuts {given[0]} found → rising numbers in (0, {limit})", "Correct the cuts")

    @property
    def n_classes(self) -> int:
        """Number of classes; 0 for the time to death."""
        return 0 if self.kind == "time" else len(self.cuts_days or self.quantiles or ()) + 1

    def fit_cuts(self, time: Array, event: Array) -> Array:
        """Cuts in days, (n_classes − 1,), estimated from the training rows where the endpoint names quantiles.

        Quantiles are those of the observed deaths: plain and reproducible. Few are censored in these cohorts, and
        the follow-up time of a censored patient is not a survival.
        """
        if self.kind == "time":
            return np.empty(0)
        if self.cuts_days is not None:
            return np.asarray(self.cuts_days, dtype=float)
        deaths = np.asarray(time, dtype=float)[np.asarray(event, dtype=bool)]
        if not deaths.size:
            raise DataError(f"endpoint {self.name}", "no death among the training rows", "Use fixed cuts_days")
        cuts = np.quantile(deaths, np.asarray(self.quantiles, dtype=float))
        if np.any(np.diff(cuts) <= 0):
            raise DataError(f"endpoint {self.name}", f"quantiles fall together at {cuts} days", "Use fewer classes")
        return np.asarray(cuts)


def class_weights(time: Array, event: Array, cuts: Array, sample: Array) -> Array:
    """1 / P(not censored before the class was settled) of each row, (n,): at death, or at the last cut survived.

    The probability is G(t−), the Kaplan–Meier estimate of censoring among the rows `sample` (indices) just before that
    day (Robins & Rotnitzky 1992): at equal times deaths precede censorings, and one censored on the day of the last cut
    has reached it. Weighted shares of the classes are then the Kaplan–Meier estimate's, ties or not. Where a row lies
    beyond the follow-up of `sample`, the lowest positive estimate counts.
    """
    time, event = np.asarray(time, float), np.asarray(event, bool)
    curves = censoring_kaplan_meier(time[sample], event[sample], np.ones((1, len(sample))))
    settled = np.where(event & (time < cuts[-1]), time, cuts[-1])
    probability = curves.just_before(curves.uncensored, settled)[0]
    positive = probability[probability > 0]
    return np.asarray(1 / np.maximum(probability, positive.min() if len(positive) else 1.0))


def classes(time: Array, event: Array, cuts: Array) -> Array:
    """Class of each row, (n,) int: 0 = shortest, len(cuts) = longest, −1 = censored before it could be decided."""
    event = np.asarray(event, dtype=bool)
    reached = np.searchsorted(np.asarray(cuts, dtype=float), np.asarray(time, dtype=float), side="right")
    return np.where(event | (reached == len(cuts)), reached, -1)
