"""stage=latents: one vector a case from the segmenter's encoder."""

from __future__ import annotations

from omegaconf import DictConfig

from glioma_os.pipeline.features.latents import LatentFeatures
from glioma_os.stages.assemble import segmenting_arm_of, workspace_of
from glioma_os.training.progress import say


def main(cfg: DictConfig) -> None:
    """Extracts the latents the study would use and says how many there are."""
    (arm, plan), workspace = segmenting_arm_of(cfg), workspace_of(cfg)
    arm.check(workspace)
    subjects = arm.subjects(workspace)
    assert isinstance(arm.features, LatentFeatures)
    for title, segmenter in plan.segmenters(workspace, arm.cohort, subjects.folds, arm.validation.leak_policy).items():
        table = arm.features.encode(workspace, segmenter, subjects.cohort, arm.cohort, f"Latents {title}")
        say(f"{len(table.case_ids)} cases × {len(table.names)} latents, segmenter {segmenter.run.id} ({title})")
