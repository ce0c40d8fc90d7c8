"""stage=segment: pre-train, fine-tune fold by fold under the leak policy, score on the held-out patients."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig

from glioma_os.pipeline.segmenter import Segmenter
from glioma_os.reporting.result_files import dice_summary
from glioma_os.stages.assemble import options_of, segmenting_arm_of, workspace_of
from glioma_os.training.progress import say
from glioma_os.volumes.manifest import results


def print_dice(title: str, segmenters: Sequence[Segmenter], seed: int) -> None:
    """One line: mean Dice per region with interval and n."""
    rows = [row for segmenter in segmenters for row in segmenter.dice_rows()]
    if rows:
        parts = [
            f"{region.upper()} {mean:.3f} [{low:.3f}, {high:.3f}]"
            for region, (mean, low, high, _) in dice_summary(rows, seed).items()
        ]
        say(f"Dice {title}, n = {len(rows)} held-out cases: {', '.join(parts)}")


def main(cfg: DictConfig) -> dict[str, Path]:
    """Trains what is not trained yet, prints Dice, and writes masks if `segment.write_predictions`."""
    from glioma_os.pipeline.scoring import write_masks

    (arm, plan), workspace = segmenting_arm_of(cfg), workspace_of(cfg)
    arm.check(workspace)
    subjects = arm.subjects(workspace)
    parent = plan.pretrained(workspace)
    if parent is not None:
        print_dice("after pre-training", [parent], plan.seed)
    found = plan.segmenters(workspace, arm.cohort, subjects.folds, arm.validation.leak_policy)
    tuned = [s for s in found.values() if parent is None or s.run != parent.run]
    print_dice("after fine-tuning", tuned, plan.seed)
    for title, segmenter in found.items():
        say(f"Segmenter {title}: {segmenter.run.folder}")
        if options_of(cfg, "segment").write_predictions:
            data = workspace.prepared(subjects.cohort, segmenter.channels, plan.recipe.spacing_mm)
            count = write_masks(segmenter, data, segmenter.run.path("masks"), plan.recipe.trainer)
            segmenter.run.amend(name for name in results(segmenter.run.folder) if name.startswith("masks/"))
            say(f"{count} masks in {segmenter.run.path('masks')}")
    return {title: segmenter.run.folder for title, segmenter in found.items()}
