"""Cox regression that may leave inputs out: ridge and lasso together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from glioma_os.config.options import Share, Strengths
from glioma_os.fusion.heads.contract import Setting, SurvivalHead, Task
from glioma_os.fusion.heads.cox import CoxModel, fit_penalised


@dataclass(frozen=True)
class ElasticNet(SurvivalHead):
    """`penalty` is split: a share `l1_share` (0 to 1) of it on |β|, the rest on β²/2."""

    name: ClassVar[str] = "elastic_net"
    title: ClassVar[str] = "Cox elastic net"
    penalty: Strengths = (10.0, 4.0, 25.0)
    l1_share: Share = 0.5

    def settings(self) -> list[Setting]:
        """One per penalty."""
        return [{"l2": value * (1 - self.l1_share), "l1": value * self.l1_share} for value in self.penalty]

    def fit_one(self, task: Task) -> CoxModel:
        """Cox with both penalties."""
        return fit_penalised(task, task.setting["l2"], task.setting["l1"])
