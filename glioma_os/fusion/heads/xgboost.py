"""Gradient-boosted stumps and shallow trees (XGBoost on one thread)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from glioma_os.fusion.heads.contract import OneByOne, Prediction, Setting, Task

if TYPE_CHECKING:
    from glioma_os.records import Array


@dataclass(frozen=True)
class XGBoost(OneByOne):
    """Classes: logistic or softmax loss; time to death: Cox loss, the risk being the log-hazard."""

    name: ClassVar[str] = "xgboost"
    kinds: ClassVar[frozenset[str]] = frozenset({"classes", "time"})
    rounds: int = 60
    learning_rate: float = 0.1
    l2: float = 5.0
    depth: tuple[int, ...] = (2, 1)

    def settings(self) -> list[Setting]:
        """One per tree depth."""
        return [{"depth": value} for value in self.depth]

    def _fit_one(self, task: Task) -> Prediction:
        if task.kind == "time":
            signed = np.where(task.event, task.time, -task.time)  # XGBoost's sign for a censored time
            return Prediction(self._margin(task, task.inputs, signed, None, {"objective": "survival:cox"}))
        inputs, classes, weights = task.labelled()
        present, labels = np.unique(classes, return_inverse=True)
        if len(present) == 2:
            upper = 1 / (1 + np.exp(-self._margin(task, inputs, labels, weights, {"objective": "binary:logistic"})))
            return Prediction.of_classes(np.column_stack([1 - upper, upper]), present, task.n_classes)
        margin = self._margin(task, inputs, labels, weights, {"objective": "multi:softprob", "num_class": len(present)})
        power = np.exp(margin - margin.max(axis=1, keepdims=True))
        return Prediction.of_classes(power / power.sum(axis=1, keepdims=True), present, task.n_classes)

    def _margin(
        self, task: Task, inputs: Array, labels: Array, weights: Array | None, objective: dict[str, Any]
    ) -> Array:
        import xgboost  # 0.3 s, and only this head needs it

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
        return model.predict(xgboost.DMatrix(task.test_inputs), output_margin=True).astype(float)
