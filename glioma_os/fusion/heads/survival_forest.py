"""A forest for censored times: trees on log-rank scores, Nelson–Aalen hazards over the neighbours they find."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from sklearn.ensemble import RandomForestRegressor

from glioma_os.config.options import Counts, Positive
from glioma_os.fusion.heads.contract import Setting, SurvivalHead, SurvivalModel, Task
from glioma_os.fusion.trees import Trees
from glioma_os.records import Array
from glioma_os.survival.curves import log_rank_scores


@dataclass(frozen=True)
class SurvivalForestModel(SurvivalModel):
    """Trees, and the training rows in rising time: days, death, and the leaf (rows, trees) each falls into.

    A new row's hazard is that of the training rows that share its leaves (Hothorn 2006). Risk is ensemble mortality,
    the hazard summed over the training deaths' times (Ishwaran 2008).
    """

    trees: Trees
    time: Array
    died: Array
    leaves: Array
    cuts_days: Array
    n_classes: int

    def risk_and_survival(self, inputs: Array) -> tuple[Array, Callable[[Array], Array]]:
        """Ensemble mortality, and exp(−Nelson–Aalen hazard) of the neighbours."""
        found = self.trees.leaves(inputs)
        near = np.zeros((len(found), len(self.leaves)))
        for tree in range(self.leaves.shape[1]):
            together = found[:, tree, None] == self.leaves[None, :, tree]
            near += together / together.sum(axis=1, keepdims=True)
        first = np.searchsorted(self.time, self.time, side="left")
        at_risk = near[:, ::-1].cumsum(axis=1)[:, ::-1][:, first]
        steps = np.divide(near * self.died, at_risk, out=np.zeros_like(near), where=at_risk > 1e-9)
        hazard = np.column_stack([np.zeros(len(near)), steps.cumsum(axis=1)])

        def survival(days: Array) -> Array:
            return np.exp(-hazard[:, np.searchsorted(self.time, days, side="right")])

        own_deaths = np.searchsorted(self.time, self.time[self.died > 0], side="right")
        return hazard[:, own_deaths].sum(axis=1), survival


@dataclass(frozen=True)
class SurvivalForest(SurvivalHead):
    """`trees` on log-rank scores, `min_leaf` patients or more in a leaf; each split looks at a share `max_features` of
    the columns."""

    name: ClassVar[str] = "survival_forest"
    title: ClassVar[str] = "survival forest"
    trees: Positive = 64
    min_leaf: Counts = (10, 5)
    max_features: float = 0.5

    def settings(self) -> list[Setting]:
        """One per leaf size."""
        return [{"min_leaf": value} for value in self.min_leaf]

    def fit_one(self, task: Task) -> SurvivalForestModel:
        """A survival forest."""
        event = np.asarray(task.event, float)
        forest = RandomForestRegressor(
            self.trees, min_samples_leaf=task.setting["min_leaf"], max_features=self.max_features, n_jobs=1,
            random_state=task.seed,
        ).fit(task.inputs, log_rank_scores(task.time, event))  # fmt: skip
        trees = Trees.of(forest.estimators_)
        order = np.argsort(task.time, kind="stable")
        return SurvivalForestModel(
            trees, np.asarray(task.time, float)[order], event[order], trees.leaves(task.inputs)[order],
            task.cuts_days, task.n_classes,
        )  # fmt: skip
