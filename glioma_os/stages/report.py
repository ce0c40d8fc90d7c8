"""stage=report: the report of a finished study, made anew."""

from __future__ import annotations

from omegaconf import DictConfig

from glioma_os.errors import DataError
from glioma_os.pipeline.report import build_report, page_files
from glioma_os.stages.assemble import workspace_of
from glioma_os.stages.study import study_of
from glioma_os.training.progress import say


def main(cfg: DictConfig) -> None:
    """Writes report.html, checklists and model cards from the runs of the study."""
    workspace = workspace_of(cfg)
    study = study_of(cfg, workspace)
    run, written = study.open(workspace), page_files(study.arms)
    if not run.finished(without=written):
        raise DataError(run.folder, "no finished study of this configuration found", "Run stage=study first")
    path = build_report(workspace, study.arms, {arm.name: study.validated(workspace, arm) for arm in study.arms}, run)
    run.amend(written)
    say("Report written")
    print(path)
