"""Hazard of discrete intervals (proportional odds) with a ridge penalty."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from glioma_os.fusion.heads.contract import Setting, SurvivalHead, Task
from glioma_os.records import Array
from glioma_os.survival.parametric import fit_discrete_hazard


@dataclass(frozen=True)
class Discrete(SurvivalHead):
    """Risk is the log-odds that x adds to the hazard of every interval. `intervals` hold equally many deaths."""

    name: ClassVar[str] = "discrete_hazard"
    intervals: int = 8
    l2: tuple[float, ...] = (10.0, 1.0, 100.0)

    def settings(self) -> list[Setting]:
        """One per penalty."""
        return [{"l2": value} for value in self.l2]

    def _fit_survival(self, task: Task) -> tuple[Array, Callable[[Array], Array]]:
        model = fit_discrete_hazard(task.inputs, task.time, task.event, self.intervals, task.setting["l2"])
        return task.test_inputs @ model.beta, partial(model.survival, task.test_inputs)
