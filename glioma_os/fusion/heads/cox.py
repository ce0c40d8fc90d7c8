"""Cox regression with a ridge penalty: uses censored patients that classes must leave out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from glioma_os.fusion.heads.contract import Setting, SurvivalHead, Task
from glioma_os.records import Array
from glioma_os.survival.curves import breslow_log_hazard, breslow_survival
from glioma_os.survival.likelihoods import fit_cox


@dataclass(frozen=True)
class Cox(SurvivalHead):
    """Risk is the log-hazard; curves by Breslow's baseline."""

    name: ClassVar[str] = "cox"
    l2: tuple[float, ...] = (10.0, 1.0, 100.0)

    def settings(self) -> list[Setting]:
        """One per penalty."""
        return [{"l2": value} for value in self.l2]

    def _fit_survival(self, task: Task) -> tuple[Array, Callable[[Array], Array]]:
        beta = fit_cox(task.inputs, task.time, task.event, task.setting["l2"], task.setting.get("l1", 0.0))
        known, risk = task.inputs @ beta, task.test_inputs @ beta

        def survival(days: Array) -> Array:
            return breslow_survival(breslow_log_hazard(task.time, task.event, known, days), risk)

        return risk, survival
