"""Each cohort predicted by a pipeline fitted on all the others, and a random-effects summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from glioma_os import NOTICE
from glioma_os.pipeline.step import Step
from glioma_os.pipeline.workspace import Workspace
from glioma_os.reporting.result_files import SCORES, read_scores
from glioma_os.reporting.tables import lead_score
from glioma_os.survival.meta import pooled_probability
from glioma_os.training.run import Run


@dataclass(frozen=True)
class SummarizeCohorts(Step):
    """Random-effects summary of external validations, one a held-out cohort."""

    stage: ClassVar[str] = "leave_one_out"
    version: ClassVar[int] = 1
    guards: ClassVar[tuple[str, ...]] = ("glioma_os.survival.meta", "glioma_os.pipeline.leave_one_out")
    runs: Mapping[str, Run]

    def work(self, workspace: Workspace, run: Run) -> None:
        """summary.json: the leading model of each cohort, and age alone."""
        found = {row: _summary([leading_and_age(one)[place] for one in self.runs.values()])
                 for place, row in enumerate(("model", "age"))}  # fmt: skip
        run.write_json("summary.json", {"notice": NOTICE, "cohorts": list(self.runs), **found})


def leading_and_age(run: Run) -> tuple[Any, Any]:
    """The leading row and age alone, on the endpoint's metric."""
    scores, age = read_scores(run.path(SCORES)), run.read_json("summary.json")["age"]
    lead = lead_score(scores)
    return lead, next(s for s in scores if [s.head, s.block] == age and s.metric == lead.metric)


def _summary(lines: Sequence[Any]) -> dict[str, Any]:
    values, low, high = (np.array([getattr(line, name) for line in lines]) for name in ("value", "low", "high"))
    found = pooled_probability(values, low, high)
    rows = list(dict.fromkeys(f"{line.display_name}, {line.block}" for line in lines))
    return {"rows": rows, "cohorts": len(lines), "metric": lines[0].metric, **found._asdict()}
