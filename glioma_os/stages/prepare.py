"""stage=prepare: fills the store for the survival cohort, and for what the segmenter is trained on."""

from __future__ import annotations

from omegaconf import DictConfig

from glioma_os.stages.assemble import channels_of, component_of, options_of, workspace_of
from glioma_os.training.progress import say


def main(cfg: DictConfig) -> None:
    """Prepares every cohort this configuration uses."""
    workspace, pretraining = workspace_of(cfg), options_of(cfg, "pretraining")
    used = {"cohort": channels_of(cfg)}
    if pretraining.source == "cohort":
        used["pretraining.cohort"] = pretraining.channels
    if options_of(cfg, "finetuning").source == "cohort":
        used["finetuning.cohort"] = channels_of(cfg)
    for key, channels in used.items():
        cohort = workspace.cohort(component_of(cfg, key))
        data = workspace.prepared(cohort, channels, options_of(cfg, "prepare").spacing_mm)
        say(f"{cohort.name}: {len(data.cases())} cases ready in {workspace.store.root}")
