"""Hazard of discrete intervals (proportional odds) with a ridge penalty."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from glioma_os.config.options import Penalties, Positive
from glioma_os.fusion.heads.contract import Setting, SurvivalHead, SurvivalModel, Task
from glioma_os.records import Array
from glioma_os.survival import parametric


@dataclass(frozen=True)
class DiscreteHazardModel(SurvivalModel):
    """Risk is the log-odds that x adds to the hazard of every interval."""

    model: parametric.DiscreteHazard
    cuts_days: Array
    n_classes: int

    def risk_and_survival(self, inputs: Array) -> tuple[Array, Callable[[Array], Array]]:
        """The linear predictor, and the curve of the intervals' hazards."""
        return inputs @ self.model.beta, partial(self.model.survival, inputs)


@dataclass(frozen=True)
class DiscreteHazard(SurvivalHead):
    """`intervals` hold equally many deaths; `l2`: ridge penalties, l2/2·|β|²."""

    name: ClassVar[str] = "discrete_hazard"
    title: ClassVar[str] = "discrete hazard"
    intervals: Positive = 8
    l2: Penalties = (10.0, 1.0, 100.0)

    def settings(self) -> list[Setting]:
        """One per penalty."""
        return [{"l2": value} for value in self.l2]

    def fit_one(self, task: Task) -> DiscreteHazardModel:
        """A logistic hazard in each interval of follow-up."""
        model = parametric.fit_discrete_hazard(
            task.inputs * task.relief, task.time, task.event, self.intervals, task.setting["l2"]
        )
        return DiscreteHazardModel(model._replace(beta=model.beta * task.relief), task.cuts_days, task.n_classes)
