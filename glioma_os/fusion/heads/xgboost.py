"""Gradient-boosted stumps and shallow trees (XGBoost on one thread)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from glioma_os.config.options import From0, Positive
from glioma_os.fusion.heads.contract import Model, OneByOne, Prediction, Setting, Task
from glioma_os.records import Array


@dataclass(frozen=True)
class XGBoostModel(Model):
    """`booster`: the model's own bytes (n,) uint8; `present`: the fitted classes, empty for the time to death."""

    booster: Array
    present: Array
    n_classes: int

    @cached_property
    def _load(self) -> Any:
        import xgboost  # 0.3 s, and only this head needs it

        return xgboost.Booster({"nthread": 1}, model_file=bytearray(self.booster.tobytes()))

    def predict(self, inputs: Array, horizons_days: Array) -> Prediction:
        """Log-hazard for the time to death, else class probabilities; no curves."""
        import xgboost

        margin = self._load.predict(xgboost.DMatrix(inputs), output_margin=True).astype(float)
        if not self.n_classes:
            return Prediction(margin)
        if len(self.present) == 2:
            upper = 1 / (1 + np.exp(-margin))
            probabilities = np.column_stack([1 - upper, upper])
        else:
            power = np.exp(margin - margin.max(axis=1, keepdims=True))
            probabilities = power / power.sum(axis=1, keepdims=True)
        return Prediction.of_classes(probabilities, self.present, self.n_classes)


@dataclass(frozen=True)
class XGBoost(OneByOne):
    """Classes: logistic or softmax loss; time to death: Cox loss, the risk being the log-hazard."""

    name: ClassVar[str] = "xgboost"
    title: ClassVar[str] = "XGBoost"
    kinds: ClassVar[frozenset[str]] = frozenset({"classes", "time"})
    rounds: Positive = 60
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.1
    l2: From0 = 5.0
    depth: Annotated[tuple[Annotated[int, Field(ge=1, le=16)], ...], Field(min_length=1)] = (2, 1)

    def settings(self) -> list[Setting]:
        """One per tree depth."""
        return [{"depth": value} for value in self.depth]

    def fit_one(self, task: Task) -> XGBoostModel:
        """Boosted trees for the kind of endpoint."""
        if task.kind == "time":
            signed = np.where(task.event, task.time, -task.time)  # XGBoost's sign for a censored time
            booster = self._booster(task, task.inputs, signed, None, {"objective": "survival:cox"})
            return XGBoostModel(booster, np.empty(0, int), 0)
        inputs, classes, weights = task.labelled()
        present, labels = np.unique(classes, return_inverse=True)
        objective: dict[str, Any] = {"objective": "binary:logistic"}
        if len(present) > 2:
            objective = {"objective": "multi:softprob", "num_class": len(present)}
        return XGBoostModel(self._booster(task, inputs, labels, weights, objective), present, task.n_classes)

    def _booster(
        self, task: Task, inputs: Array, labels: Array, weights: Array | None, objective: dict[str, Any]
    ) -> Array:
        import xgboost

        parameters = {
            **objective,
            "eta": self.learning_rate,
            "max_depth": task.setting["depth"],
            "lambda": self.l2,
            "nthread": 1,
            "seed": task.seed,
            "verbosity": 0,
        }
        model = xgboost.train(parameters, xgboost.DMatrix(inputs, labels, weight=weights), self.rounds)
        return np.frombuffer(model.save_raw("ubj"), np.uint8)
