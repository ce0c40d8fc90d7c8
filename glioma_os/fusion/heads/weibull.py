"""Weibull's accelerated failure time with a ridge penalty."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from glioma_os.fusion.heads.contract import Setting, SurvivalHead, Task
from glioma_os.records import Array
from glioma_os.survival.parametric import fit_weibull


@dataclass(frozen=True)
class WeibullAFT(SurvivalHead):
    """Risk is minus the predicted mean of log T."""

    name: ClassVar[str] = "weibull"
    l2: tuple[float, ...] = (10.0, 1.0, 100.0)

    def settings(self) -> list[Setting]:
        """One per penalty."""
        return [{"l2": value} for value in self.l2]

    def _fit_survival(self, task: Task) -> tuple[Array, Callable[[Array], Array]]:
        model = fit_weibull(task.inputs, task.time, task.event, task.setting["l2"])
        return -(task.test_inputs @ model.beta), partial(model.survival, task.test_inputs)
