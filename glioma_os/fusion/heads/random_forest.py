"""A small random forest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

from glioma_os.config.options import Counts, Positive, ShareOrRule
from glioma_os.fusion.heads.contract import Model, OneByOne, Prediction, Setting, Task
from glioma_os.fusion.trees import Trees
from glioma_os.records import Array


@dataclass(frozen=True)
class RandomForestModel(Model):
    """Trees, and the class shares (nodes, K) of the classes `present` at each of their nodes."""

    trees: Trees
    shares: Array
    present: Array
    n_classes: int

    def predict(self, inputs: Array, horizons_days: Array) -> Prediction:
        """Class probabilities: the mean over the trees of their leaves' shares; no curves."""
        probabilities = self.shares[self.trees.leaves(inputs)].mean(axis=1)
        return Prediction.of_classes(probabilities, self.present, self.n_classes)


@dataclass(frozen=True)
class RandomForest(OneByOne):
    """`trees` with `min_leaf` patients or more in a leaf: with about a hundred of them, deep trees overfit to single
    patients. Each split looks at `max_features` columns: "sqrt" of their number, or a share."""

    name: ClassVar[str] = "random_forest"
    title: ClassVar[str] = "random forest"
    kinds: ClassVar[frozenset[str]] = frozenset({"classes"})
    forest: ClassVar[type[RandomForestClassifier | ExtraTreesClassifier]] = RandomForestClassifier
    trees: Positive = 64
    min_leaf: Counts = (10, 5)
    max_features: ShareOrRule = "sqrt"

    def settings(self) -> list[Setting]:
        """One per leaf size."""
        return [{"min_leaf": value} for value in self.min_leaf]

    def fit_one(self, task: Task) -> RandomForestModel:
        """A forest of classification trees, turned into arrays."""
        inputs, classes, weights = task.labelled()
        forest = self.forest(
            self.trees, min_samples_leaf=task.setting["min_leaf"], max_features=self.max_features, n_jobs=1,
            random_state=task.seed,
        ).fit(inputs, classes, weights)  # fmt: skip
        counts = np.concatenate([tree.tree_.value[:, 0, :] for tree in forest.estimators_])
        shares = counts / counts.sum(axis=1, keepdims=True)
        return RandomForestModel(Trees.of(forest.estimators_), shares, forest.classes_, task.n_classes)
