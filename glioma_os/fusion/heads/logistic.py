"""Logistic regression with an L2 penalty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression

from glioma_os.config.options import Positive, Strengths
from glioma_os.fusion.heads.contract import Model, OneByOne, Prediction, Setting, Task
from glioma_os.records import Array


@dataclass(frozen=True)
class LogisticModel(Model):
    """Coefficients (K, d) and intercepts (K,) of the classes `present`; one row where there are two of them."""

    coefficients: Array
    intercepts: Array
    present: Array
    n_classes: int

    def predict(self, inputs: Array, horizons_days: Array) -> Prediction:
        """Class probabilities; no curves."""
        scores = inputs @ self.coefficients.T + self.intercepts
        if len(self.coefficients) == 1:
            upper = expit(scores[:, 0])
            probabilities = np.column_stack([1 - upper, upper])
        else:
            probabilities = softmax(scores, axis=1)
        return Prediction.of_classes(probabilities, self.present, self.n_classes)


@dataclass(frozen=True)
class Logistic(OneByOne):
    """`inverse_l2`: scikit-learn's C."""

    name: ClassVar[str] = "logistic"
    title: ClassVar[str] = "logistic regression"
    kinds: ClassVar[frozenset[str]] = frozenset({"classes"})
    inverse_l2: Strengths = (0.1, 0.01, 1.0)
    max_steps: Positive = 2000

    def settings(self) -> list[Setting]:
        """One per penalty."""
        return [{"inverse_l2": value} for value in self.inverse_l2]

    def fit_one(self, task: Task) -> LogisticModel:
        """Multinomial logistic regression, L2-penalised."""
        inputs, classes, weights = task.labelled()
        model = LogisticRegression(C=task.setting["inverse_l2"], max_iter=self.max_steps)
        model.fit(inputs * task.relief, classes, weights)
        return LogisticModel(model.coef_ * task.relief, model.intercept_, model.classes_, task.n_classes)
