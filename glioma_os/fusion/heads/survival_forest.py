"""A forest for censored times: trees on log-rank scores, Nelson–Aalen hazards over the neighbours they find."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from sklearn.ensemble import RandomForestRegressor

from glioma_os.fusion.heads.contract import Setting, SurvivalHead, Task
from glioma_os.records import Array


def log_rank_scores(time: Array, event: Array) -> Array:
    """Score (n,) of each row: its death, minus the Nelson–Aalen hazard up to its time (Hothorn & Lausen 2003)."""
    _, place = np.unique(time, return_inverse=True)
    at_risk = np.bincount(place)[::-1].cumsum()[::-1]
    hazard = np.cumsum(np.bincount(place, weights=event) / at_risk)
    return event - hazard[place]


@dataclass(frozen=True)
class SurvivalForest(SurvivalHead):
    """Survival ensemble (Hothorn 2006): a test row's hazard is that of the training rows that share its leaves.

    Risk is ensemble mortality, the hazard summed over the training deaths' times (Ishwaran 2008).
    """

    name: ClassVar[str] = "survival_forest"
    trees: int = 64
    min_leaf: tuple[int, ...] = (10, 5)

    def settings(self) -> list[Setting]:
        """One per leaf size."""
        return [{"min_leaf": value} for value in self.min_leaf]

    def _fit_survival(self, task: Task) -> tuple[Array, Callable[[Array], Array]]:
        event = np.asarray(task.event, float)
        forest = RandomForestRegressor(
            self.trees, min_samples_leaf=task.setting["min_leaf"], max_features=0.5, n_jobs=1, random_state=task.seed
        ).fit(task.inputs, log_rank_scores(task.time, event))
        own, theirs = forest.apply(task.inputs), forest.apply(task.test_inputs)
        near = np.zeros((len(theirs), len(own)))
        for tree in range(self.trees):
            together = theirs[:, tree, None] == own[None, :, tree]
            near += together / together.sum(axis=1, keepdims=True)
        order = np.argsort(task.time, kind="stable")
        time, died, near = task.time[order], event[order], near[:, order]
        first = np.searchsorted(time, time, side="left")
        at_risk = near[:, ::-1].cumsum(axis=1)[:, ::-1][:, first]
        steps = np.divide(near * died, at_risk, out=np.zeros_like(near), where=at_risk > 1e-9)
        hazard = np.column_stack([np.zeros(len(near)), steps.cumsum(axis=1)])

        def survival(days: Array) -> Array:
            return np.exp(-hazard[:, np.searchsorted(time, days, side="right")])

        return hazard[:, np.searchsorted(time, time[died > 0], side="right")].sum(axis=1), survival
