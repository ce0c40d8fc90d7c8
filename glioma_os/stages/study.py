"""stage=study: the full pipeline for every arm, and one report. A finished study says so and does nothing."""

from __future__ import annotations

import time
from pathlib import Path

from omegaconf import DictConfig

from glioma_os.pipeline.arm import Arm
from glioma_os.pipeline.study import Study
from glioma_os.pipeline.workspace import Workspace
from glioma_os.stages.assemble import arm_of, arms_of, dashboards_of, workspace_of
from glioma_os.training.progress import say
from glioma_os.training.run import Run

REPORT = "report.html"


def study_of(cfg: DictConfig, workspace: Workspace) -> Study:
    """The study that a configuration describes."""
    arms = arms_of(cfg)
    built = tuple(arm_of(own, name) for name, own in arms.items())
    return Study.of(workspace, built, dashboards_of(arms), lambda arm: _print_title(workspace, arm), _print_scores)


def _print_title(workspace: Workspace, arm: Arm) -> None:
    reads = arm.features.reads
    say(f"── {arm.name}: {workspace.cohort(arm.cohort).name}{f', {reads}' if reads else ''}")


def _print_scores(arm: Arm, run: Run) -> None:
    from glioma_os.reporting.result_files import SCORES, read_scores
    from glioma_os.stages.scores import print_scores

    scores = [score for score in read_scores(run.path(SCORES)) if score.metric in ("auc", "c_index")]
    print_scores(scores, f"{arm.name}, out of fold, 95 % patient bootstrap")


def main(cfg: DictConfig) -> dict[str, Path]:
    """Cohort → store → segmenter → latents → survival for every arm, then the report."""
    start, workspace = time.monotonic(), workspace_of(cfg)
    study = study_of(cfg, workspace)
    run = study.open(workspace)
    if run.done:
        found = study.folders(run)
        study.show(workspace, run, fresh=False)
        say("This study is done; nothing to do.")
    else:
        for arm in study.arms:
            arm.check(study.workspace_of(workspace, arm))
        found = study.folders(study.run(workspace))
        say(f"Study done in {time.monotonic() - start:.0f} s")
    print(run.path(REPORT))
    return found
