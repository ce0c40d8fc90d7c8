"""Logistic regression with an L2 penalty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from sklearn.linear_model import LogisticRegression

from glioma_os.fusion.heads.contract import OneByOne, Prediction, Setting, Task


@dataclass(frozen=True)
class Logistic(OneByOne):
    """`inverse_l2`: scikit-learn's C."""

    name: ClassVar[str] = "logistic"
    kinds: ClassVar[frozenset[str]] = frozenset({"classes"})
    inverse_l2: tuple[float, ...] = (0.1, 0.01, 1.0)
    max_steps: int = 2000

    def settings(self) -> list[Setting]:
        """One per penalty."""
        return [{"inverse_l2": value} for value in self.inverse_l2]

    def _fit_one(self, task: Task) -> Prediction:
        inputs, classes, weights = task.labelled()
        model = LogisticRegression(C=task.setting["inverse_l2"], max_iter=self.max_steps)
        model.fit(inputs, classes, weights)
        return Prediction.of_classes(model.predict_proba(task.test_inputs), model.classes_, task.n_classes)
