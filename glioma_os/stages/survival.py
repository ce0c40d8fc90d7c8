"""stage=survival: every head on every set of inputs, nested validation, each number with age alone."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from glioma_os.pipeline.survival import ValidateSurvival
from glioma_os.reporting.result_files import SCORES, read_scores
from glioma_os.reporting.tables import headline, lead_score, warnings
from glioma_os.stages.assemble import arm_of, workspace_of
from glioma_os.stages.scores import print_scores
from glioma_os.training.progress import say


def main(cfg: DictConfig) -> dict[str, Path]:
    """Validates and prints the table."""
    arm, workspace = arm_of(cfg), workspace_of(cfg)
    arm.check(workspace)
    run = ValidateSurvival.of(workspace, arm).run(workspace)
    summary, scores = run.read_json("summary.json"), read_scores(run.path(SCORES))
    print_scores(
        scores,
        f"{summary['cohort']}, {arm.endpoint.name}: {summary['patients']} patients, {summary['deaths']} deaths, "
        f"class not evaluable in {summary['undetermined']:g}; out of fold, 95 % patient bootstrap",
    )
    lead = lead_score(scores)
    say(headline(lead, summary["age"], summary))
    for text in warnings(summary, lead):
        say(f"Warning: {text}")
    say(f"{run.folder}")
    return {arm.name: run.folder}
