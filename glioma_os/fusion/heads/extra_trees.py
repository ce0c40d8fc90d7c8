"""Extremely randomised trees: a forest whose thresholds are drawn (Geurts 2006, 10.1007/s10994-006-6226-1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from sklearn.ensemble import ExtraTreesClassifier

from glioma_os.config.options import Counts, Positive, ShareOrRule
from glioma_os.fusion.heads.contract import OneByOne, Setting, Task
from glioma_os.fusion.heads.random_forest import RandomForestModel, fit_forest


@dataclass(frozen=True)
class ExtraTrees(OneByOne):
    """`trees`, every one on all training rows, with `min_leaf` patients or more in a leaf; each split draws one
    threshold for each of `max_features` columns ("sqrt" of their number, or a share) and takes the best."""

    name: ClassVar[str] = "extra_trees"
    title: ClassVar[str] = "extra trees"
    kinds: ClassVar[frozenset[str]] = frozenset({"classes"})
    trees: Positive = 64
    min_leaf: Counts = (10, 5)
    max_features: ShareOrRule = "sqrt"

    def settings(self) -> list[Setting]:
        """One per leaf size."""
        return [{"min_leaf": value} for value in self.min_leaf]

    def fit_one(self, task: Task) -> RandomForestModel:
        """A forest of random splits."""
        forest = ExtraTreesClassifier(
            self.trees, min_samples_leaf=task.setting["min_leaf"], max_features=self.max_features, n_jobs=1,
            random_state=task.seed,
        )  # fmt: skip
        return fit_forest(forest, task)
