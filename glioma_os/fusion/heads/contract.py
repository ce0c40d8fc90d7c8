"""What every head promises: many small fits in, risks out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from threadpoolctl import threadpool_limits

from glioma_os.errors import ConfigError, DataError, TrainingError
from glioma_os.records import Array

Setting = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """One fit: training rows, the rows to predict, one setting of the head.

    `inputs` (n, d), `time` (n,) days, `event` (n,); `classes` (n,) with −1 = undetermined, `n_classes` 0 for the time
    to death; `cuts_days` (n_classes − 1,); `test_inputs` (m, d); `weights` (n,) of the classes, None = all 1;
    `horizons_days` (H,) where survival curves are wanted.
    """

    inputs: Array
    time: Array
    event: Array
    classes: Array
    test_inputs: Array
    setting: Setting
    seed: int = 0
    n_classes: int = 0
    cuts_days: Array = field(default_factory=lambda: np.empty(0))
    weights: Array | None = None
    horizons_days: Array = field(default_factory=lambda: np.empty(0))

    @property
    def kind(self) -> str:
        """`classes` or `time`, as in an endpoint."""
        return "classes" if self.n_classes else "time"

    def labelled(self) -> tuple[Array, Array, Array]:
        """Inputs, classes and weights of the determined training rows; fewer than two classes is a DataError."""
        known = self.classes >= 0
        if len(np.unique(self.classes[known])) < 2:
            raise DataError("training rows", "all of one class", "Use another endpoint, or more patients")
        weights = np.ones(len(known)) if self.weights is None else self.weights
        return self.inputs[known], self.classes[known], weights[known]


@dataclass(frozen=True)
class Prediction:
    """`risk` (m,), higher = worse; `probabilities` (m, K) from short to long survival, None for the time to death;
    `curves` (m, H) = S(t) at the task's horizons, None where the head has none of its own."""

    risk: Array
    probabilities: Array | None = None
    curves: Array | None = None

    @classmethod
    def of_classes(cls, probabilities: Array, present: Array, n_classes: int) -> Prediction:
        """From (m, present) columns: P(short) for two classes, minus the expected class number for more."""
        full = np.zeros((len(probabilities), n_classes))
        full[:, present] = probabilities
        return cls(full[:, 0] if n_classes == 2 else -full @ np.arange(n_classes), full)


class Head(ABC):
    """A way from inputs to a risk. `name` is the word used everywhere; `kinds` the endpoints it serves."""

    name: ClassVar[str]
    kinds: ClassVar[frozenset[str]]

    @abstractmethod
    def settings(self) -> list[Setting]:
        """The grid that inner validation chooses from; the first is taken where nothing can be chosen."""

    @abstractmethod
    def _fit_predict(self, tasks: list[Task]) -> list[Prediction]: ...

    def fit_predict(self, tasks: list[Task]) -> list[Prediction]:
        """One prediction per task. A kind that the head does not serve is a ConfigError."""
        unserved = {task.kind for task in tasks} - self.kinds
        if unserved:
            raise ConfigError(
                f"head {self.name}",
                f"endpoint kind {min(unserved)} → {sorted(self.kinds)} expected",
                "Use another head",
            )
        with threadpool_limits(1):  # thousands of tiny fits: threads would only wait for each other
            predictions = self._fit_predict(tasks)
        broken = sum(not np.isfinite(prediction.risk).all() for prediction in predictions)
        if broken:
            raise TrainingError(f"head {self.name}", f"{broken} of {len(tasks)} fits are not finite", "Shrink more")
        return predictions


class OneByOne(Head):
    """A head that fits its tasks one after the other."""

    @abstractmethod
    def _fit_one(self, task: Task) -> Prediction: ...

    def _fit_predict(self, tasks: list[Task]) -> list[Prediction]:
        return [self._fit_one(task) for task in tasks]


class SurvivalHead(OneByOne):
    """A head with survival curves of its own; class probabilities are their differences at the cuts."""

    kinds: ClassVar[frozenset[str]] = frozenset({"classes", "time"})

    @abstractmethod
    def _fit_survival(self, task: Task) -> tuple[Array, Callable[[Array], Array]]:
        """Risk (m,) of the test rows, and their S at given days, (m, days)."""

    def _fit_one(self, task: Task) -> Prediction:
        risk, survival = self._fit_survival(task)
        curves = survival(task.horizons_days) if len(task.horizons_days) else None
        if task.kind == "time":
            return Prediction(risk, None, curves)
        # A time equal to a cut belongs to the longer class: the shorter one is T < cut.
        alive = survival(np.nextafter(task.cuts_days, 0))
        edges = np.hstack([np.ones((len(alive), 1)), alive, np.zeros((len(alive), 1))])
        return Prediction(risk, -np.diff(edges, axis=1), curves)
