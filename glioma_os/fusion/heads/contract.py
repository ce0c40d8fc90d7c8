"""What every head promises: many small fits in, risks out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from threadpoolctl import threadpool_limits

from glioma_os.errors import ConfigError, DataError, TrainingError
from glioma_os.records import Array

Setting = dict[str, Any]
RELIEF = 10.0


@dataclass(frozen=True)
class Task:
    """One fit: training rows, the rows to predict, one setting of the head.

    `inputs` (n, d), `time` (n,) days, `event` (n,); `classes` (n,) with −1 = undetermined, `n_classes` 0 for the time
    to death; `cuts_days` (n_classes − 1,); `test_inputs` (m, d); `weights` (n,) of the classes, None = all 1;
    `horizons_days` (H,) where survival curves are wanted; penalties spare the first
    `n_spared` columns.
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
    n_spared: int = 0

    @property
    def relief(self) -> Array:
        """Factors (d,) for the columns of a penalised linear model, in the fit and on its coefficients.

        A ridge penalty on a spared column becomes a hundredth, a lasso penalty a tenth: what is known to matter must
        not be shrunk as much as many features, yet two classes that it separates keep their fit finite.
        """
        return np.where(np.arange(self.inputs.shape[1]) < self.n_spared, RELIEF, 1.0)

    @property
    def kind(self) -> str:
        """`classes` or `time`, as in an endpoint."""
        return "classes" if self.n_classes else "time"

    def labelled(self) -> tuple[Array, Array, Array]:
        """Inputs, classes and weights of the determined training rows; fewer than two classes is a DataError."""
        known = self.classes >= 0
        if len(np.unique(self.classes[known])) < 2:
            raise DataError(
                "training rows", "one class found → two or more expected", "Use another endpoint, or more patients"
            )
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


class Model(ABC):
    """A fitted head: arrays and numbers only, so that it can be stored without pickle and gives the same bits again.

    Concrete models are frozen dataclasses; `glioma_os.fusion.storage` writes and reads their fields.
    """

    @abstractmethod
    def predict(self, inputs: Array, horizons_days: Array) -> Prediction:
        """For `inputs` (m, d); survival curves at `horizons_days` (H,) where the model has curves and H > 0."""


class SurvivalModel(Model):
    """A model with survival curves of its own; class probabilities are their differences at `cuts_days` (K − 1,)."""

    cuts_days: Array
    n_classes: int

    @abstractmethod
    def risk_and_survival(self, inputs: Array) -> tuple[Array, Callable[[Array], Array]]:
        """Risk (m,), and S at given days, (m, days)."""

    def predict(self, inputs: Array, horizons_days: Array) -> Prediction:
        """Probabilities where the endpoint has classes; curves where horizons are given."""
        risk, survival = self.risk_and_survival(inputs)
        curves = survival(horizons_days) if len(horizons_days) else None
        if not self.n_classes:
            return Prediction(risk, None, curves)
        # A time equal to a cut belongs to the longer class: the shorter one is T < cut.
        alive = survival(np.nextafter(self.cuts_days, 0))
        edges = np.hstack([np.ones((len(alive), 1)), alive, np.zeros((len(alive), 1))])
        return Prediction(risk, -np.diff(edges, axis=1), curves)


class Head(ABC):
    """A way from inputs to a risk. `name` is the word used everywhere, `title` what people read in tables and figures
    (it is stored with the results); `kinds` the endpoints it serves."""

    name: ClassVar[str]
    title: ClassVar[str] = ""  # without one, `name` is shown
    kinds: ClassVar[frozenset[str]]

    @abstractmethod
    def settings(self) -> list[Setting]:
        """The grid that inner validation chooses from; the first is taken where nothing can be chosen."""

    @abstractmethod
    def _fit(self, tasks: list[Task]) -> Sequence[Model]: ...

    def fit(self, tasks: list[Task]) -> list[Model]:
        """One model per task. A kind that the head does not serve is a ConfigError."""
        unserved = {task.kind for task in tasks} - self.kinds
        if unserved:
            raise ConfigError(
                f"head {self.name}",
                f"endpoint kind {min(unserved)} found → {sorted(self.kinds)} expected",
                "Use another head",
            )
        with threadpool_limits(1):  # thousands of tiny fits: threads would only wait for each other
            return list(self._fit(tasks))

    def fit_predict(self, tasks: list[Task]) -> list[Prediction]:
        """One prediction of a task's `test_inputs` per task."""
        models = self.fit(tasks)
        with threadpool_limits(1):
            return self.predict(models, tasks)

    def predict(self, models: Sequence[Model], tasks: Sequence[Task]) -> list[Prediction]:
        """Each model on its task's `test_inputs`; a risk that is not finite is a TrainingError."""
        found = [model.predict(task.test_inputs, task.horizons_days) for model, task in zip(models, tasks, strict=True)]
        broken = sum(not np.isfinite(prediction.risk).all() for prediction in found)
        if broken:
            raise TrainingError(
                f"head {self.name}", f"{broken} of {len(tasks)} fits are not finite", "Raise the penalty"
            )
        return found


class OneByOne(Head):
    """A head that fits its tasks one after the other."""

    @abstractmethod
    def fit_one(self, task: Task) -> Model:
        """A model of one task."""

    def _fit(self, tasks: list[Task]) -> list[Model]:
        return [self.fit_one(task) for task in tasks]


class SurvivalHead(OneByOne):
    """A head whose models have survival curves of their own."""

    kinds: ClassVar[frozenset[str]] = frozenset({"classes", "time"})
