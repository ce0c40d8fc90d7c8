"""A small random forest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from sklearn.ensemble import RandomForestClassifier

from glioma_os.fusion.heads.contract import OneByOne, Prediction, Setting, Task


@dataclass(frozen=True)
class RandomForest(OneByOne):
    """Leaves hold many patients: with about a hundred of them, deep trees learn names."""

    name: ClassVar[str] = "random_forest"
    kinds: ClassVar[frozenset[str]] = frozenset({"classes"})
    trees: int = 64
    min_leaf: tuple[int, ...] = (10, 5)

    def settings(self) -> list[Setting]:
        """One per leaf size."""
        return [{"min_leaf": value} for value in self.min_leaf]

    def _fit_one(self, task: Task) -> Prediction:
        inputs, classes, weights = task.labelled()
        model = RandomForestClassifier(
            self.trees, min_samples_leaf=task.setting["min_leaf"], n_jobs=1, random_state=task.seed
        ).fit(inputs, classes, weights)
        return Prediction.of_classes(model.predict_proba(task.test_inputs), model.classes_, task.n_classes)
