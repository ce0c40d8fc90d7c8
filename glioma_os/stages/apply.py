"""stage=apply: a stored pipeline predicts a cohort. Nothing is fitted, and outcomes are not looked at."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from glioma_os.pipeline.apply import ApplyPipeline
from glioma_os.reporting.result_files import PREDICTIONS
from glioma_os.stages.assemble import component_of, features_of, general_of, workspace_of
from glioma_os.training.progress import say


def main(cfg: DictConfig) -> dict[str, Path]:
    """Predicts and says where the predictions are."""
    workspace, general, cohort = workspace_of(cfg), general_of(cfg), component_of(cfg, "cohort")
    run = ApplyPipeline.of(workspace, cfg.pipeline, cohort, features_of(cfg), general.seed).run(workspace)
    summary = run.read_json("summary.json")
    fitted = summary["pipeline"]
    say(f"{summary['cases']} cases of {workspace.cohort(cohort).name} predicted by a pipeline fitted on "
        f"{fitted['cohort']} ({fitted['patients']} patients)")  # fmt: skip
    if summary["in_training"]:
        say(f"Warning: {summary['in_training']} of these patients were in the pipeline's training data: for them the "
            "predictions are not out of sample")  # fmt: skip
    if summary["columns_ignored"]:
        say(f"{summary['columns_ignored']} feature columns that the pipeline does not use were ignored")
    say(f"{run.path(PREDICTIONS)}")
    return {general.setting: run.folder}
