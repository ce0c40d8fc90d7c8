"""Cox regression with a ridge penalty: uses censored patients that classes must leave out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from glioma_os.config.options import Penalties
from glioma_os.fusion.heads.contract import Setting, SurvivalHead, SurvivalModel, Task
from glioma_os.records import Array
from glioma_os.survival.curves import Baseline
from glioma_os.survival.likelihoods import fit_cox


@dataclass(frozen=True)
class CoxModel(SurvivalModel):
    """Coefficients (d,) and Breslow's baseline hazard. Risk is the log-hazard."""

    beta: Array
    baseline: Baseline
    cuts_days: Array
    n_classes: int

    def risk_and_survival(self, inputs: Array) -> tuple[Array, Callable[[Array], Array]]:
        """Log-hazard and exp(−H₀(t)·e^risk)."""
        risk = inputs @ self.beta
        return risk, lambda days: self.baseline.survival(risk, days)


def fit_penalised(task: Task, l2: float, l1: float = 0.0) -> CoxModel:
    """Cox's partial likelihood minus l2/2·|β|² and l1·|β|, with Breslow's baseline; spared columns are shrunk less."""
    beta = fit_cox(task.inputs * task.relief, task.time, task.event, l2, l1) * task.relief
    return CoxModel(beta, Baseline.fit(task.time, task.event, task.inputs @ beta), task.cuts_days, task.n_classes)


@dataclass(frozen=True)
class Cox(SurvivalHead):
    """`l2`: ridge penalties, l2/2·|β|²."""

    name: ClassVar[str] = "cox"
    title: ClassVar[str] = "Cox"
    l2: Penalties = (10.0, 1.0, 100.0)

    def settings(self) -> list[Setting]:
        """One per penalty."""
        return [{"l2": value} for value in self.l2]

    def fit_one(self, task: Task) -> CoxModel:
        """Newton steps on the penalised partial likelihood."""
        return fit_penalised(task, task.setting["l2"])
