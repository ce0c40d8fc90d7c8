"""Weibull's accelerated failure time with a ridge penalty."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from glioma_os.config.options import Penalties
from glioma_os.fusion.heads.contract import Setting, SurvivalHead, SurvivalModel, Task
from glioma_os.records import Array
from glioma_os.survival.parametric import Weibull, fit_weibull


@dataclass(frozen=True)
class WeibullModel(SurvivalModel):
    """Risk is minus the predicted mean of log T."""

    model: Weibull
    cuts_days: Array
    n_classes: int

    def risk_and_survival(self, inputs: Array) -> tuple[Array, Callable[[Array], Array]]:
        """Minus the linear predictor, and the Weibull curve."""
        return -(inputs @ self.model.beta), partial(self.model.survival, inputs)


@dataclass(frozen=True)
class WeibullAFT(SurvivalHead):
    """`l2`: ridge penalties, l2/2·|β|²."""

    name: ClassVar[str] = "weibull"
    title: ClassVar[str] = "Weibull AFT"
    l2: Penalties = (10.0, 1.0, 100.0)

    def settings(self) -> list[Setting]:
        """One per penalty."""
        return [{"l2": value} for value in self.l2]

    def fit_one(self, task: Task) -> WeibullModel:
        """A Weibull accelerated failure time model."""
        model = fit_weibull(task.inputs * task.relief, task.time, task.event, task.setting["l2"])
        return WeibullModel(model._replace(beta=model.beta * task.relief), task.cuts_days, task.n_classes)
