"""stage=validate train=[a,b,…]: each cohort predicted by a pipeline fitted on all the others, and their summary."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from glioma_os import NOTICE
from glioma_os.errors import ConfigError
from glioma_os.reporting.report import METRIC_NAMES
from glioma_os.reporting.result_files import SCORES, read_scores
from glioma_os.reporting.tables import bracket, lead_score
from glioma_os.stages import recipes
from glioma_os.stages.build import plain
from glioma_os.stages.setting import Setting
from glioma_os.survival.meta import pooled_probability
from glioma_os.training.progress import say
from glioma_os.training.run import Run


def leave_one_cohort_out(
    setting: Setting, validate: Callable[[Setting, Sequence[str], str], Run], describe: Callable[[Run], None]
) -> dict[str, Path]:
    """Runs every cohort of `cohorts` as the test cohort once, says its headline and warnings by `describe`, and writes
    and prints the random-effects summary."""
    names = list(plain(setting.cfg.cohorts))
    if len(names) < 2:
        raise ConfigError("train", f"{names} found → two or more cohorts expected", "Set train=[a,b,c]")
    runs: dict[str, Run] = {}
    for name in names:
        say(f"── {name} held out")
        runs[name] = validate(setting, [f"cohorts.{other}" for other in names if other != name], f"cohorts.{name}")
        lead, age = _rows(runs[name])
        describe(runs[name])
        say(f"{METRIC_NAMES[lead.metric]} {lead.value:.3f} {bracket(lead.low, lead.high)}, age alone {age.value:.3f} "
            f"{bracket(age.low, age.high)}, n = {lead.n}")  # fmt: skip
    summary = setting.run(
        "leave_one_out", {"recipe": recipes.LEAVE_ONE_OUT, "runs": {name: run.id for name, run in runs.items()}}
    )
    with summary.writing() as todo:
        if todo:
            found = {row: _summary([_rows(run)[place] for run in runs.values()])
                     for place, row in enumerate(("model", "age"))}  # fmt: skip
            summary.write_json("summary.json", {"notice": NOTICE, "cohorts": names, **found})
    for row, values in summary.read_json("summary.json").items():
        if row in ("model", "age"):
            say(_sentence(row, values))
    say(f"{summary.folder}")
    return {"summary": summary.folder, **{name: run.folder for name, run in runs.items()}}


def _rows(run: Run) -> tuple[Any, Any]:
    """The leading row and age alone, on the endpoint's metric."""
    scores, age = read_scores(run.path(SCORES)), run.read_json("summary.json")["age"]
    lead = lead_score(scores)
    return lead, next(s for s in scores if [s.head, s.block] == age and s.metric == lead.metric)


def _summary(lines: Sequence[Any]) -> dict[str, Any]:
    values, low, high = (np.array([getattr(line, name) for line in lines]) for name in ("value", "low", "high"))
    found = pooled_probability(values, low, high)
    rows = list(dict.fromkeys(f"{line.display_name}, {line.block}" for line in lines))
    return {"rows": rows, "cohorts": len(lines), "metric": lines[0].metric, **found._asdict()}


def _sentence(row: str, v: dict[str, Any]) -> str:
    title = "Age alone" if row == "age" else f"Leading model of each cohort ({'; '.join(v['rows'])})"
    ahead = (
        f"95 % prediction interval for a further cohort {bracket(v['prediction_low'], v['prediction_high'])}"
        if v["prediction_low"] == v["prediction_low"]
        else "two cohorts give no prediction interval"
    )
    few = "; so few cohorts say little of their spread" if v["cohorts"] < 5 else ""
    return (
        f"{title}: {METRIC_NAMES[v['metric']]} {v['mean']:.3f} {bracket(v['low'], v['high'])} over {v['cohorts']} "
        f"cohorts (random effects, Hartung–Knapp); {ahead}{few}"
    )
