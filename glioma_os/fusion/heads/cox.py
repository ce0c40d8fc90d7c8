"""Cox regression with a ridge penalty: uses censored patients that classes must leave out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from glioma_os.fusion.heads.contract import OneByOne, Prediction, Setting, Task
from glioma_os.survival.curves import breslow_log_hazard, breslow_survival
from glioma_os.survival.likelihoods import fit_cox


@dataclass(frozen=True)
class Cox(OneByOne):
    """Risk is the log-hazard. Class probabilities are differences of S(cut | x) by Breslow's baseline."""

    name: ClassVar[str] = "cox"
    kinds: ClassVar[frozenset[str]] = frozenset({"classes", "time"})
    l2: tuple[float, ...] = (10.0, 1.0, 100.0)

    def settings(self) -> list[Setting]:
        """One per penalty."""
        return [{"l2": value} for value in self.l2]

    def _fit_one(self, task: Task) -> Prediction:
        beta = fit_cox(task.inputs, task.time, task.event, task.setting["l2"])
        log_hazard = task.test_inputs @ beta
        if task.kind == "time":
            return Prediction(log_hazard)
        # A time equal to a cut belongs to the longer class: the shorter one is T < cut.
        just_before = np.nextafter(task.cuts_days, 0)
        baseline = breslow_log_hazard(task.time, task.event, task.inputs @ beta, just_before)
        alive = breslow_survival(baseline, log_hazard)
        edges = np.hstack([np.ones((len(alive), 1)), alive, np.zeros((len(alive), 1))])
        return Prediction(log_hazard, -np.diff(edges, axis=1))
