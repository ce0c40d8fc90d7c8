"""stage=prepare: fills the store for the survival cohort, and for what the segmenter learns from."""

from __future__ import annotations

from omegaconf import DictConfig

from glioma_os.stages.setting import Setting
from glioma_os.training.progress import say


def main(cfg: DictConfig) -> None:
    """Prepares every cohort this configuration uses."""
    setting = Setting(cfg)
    used = {"cohort": setting.channels}
    if cfg.pretraining["from"] == "cohort":
        used["pretraining.cohort"] = tuple(cfg.pretraining.channels)
    if cfg.finetuning["from"] == "cohort":
        used["finetuning.cohort"] = setting.channels
    for key, channels in used.items():
        data = setting.prepared(setting.cohort(key), channels)
        say(f"{setting.cohort(key).name}: {len(data.cases())} cases ready in {setting.store.root}")
