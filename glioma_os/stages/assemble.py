"""From a configuration to steps: the one place where keys are read."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra import compose
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from glioma_os.config.component import Component, plain
from glioma_os.config.options import GROUPS, Channels, General, Schedule
from glioma_os.config.registry import check_targets, load_target
from glioma_os.config.schema import read
from glioma_os.errors import ConfigError
from glioma_os.networks.fast.memory_retention import retain_freed_memory
from glioma_os.pipeline.arm import Arm
from glioma_os.pipeline.features.contract import FeatureSource
from glioma_os.pipeline.features.latents import LatentFeatures
from glioma_os.pipeline.features.none import NoFeatures
from glioma_os.pipeline.fit import Recipe, Training
from glioma_os.pipeline.segmentation import SegmentationPlan
from glioma_os.pipeline.workspace import Workspace

READ_WHOLE = ("report", "validate", "apply", "collect")  # stages that compare every byte of the runs they read
KNOWN = {
    *GROUPS, "name", "setting", "settings", "seed", "channels", "stage", "cohort", "cohorts", "other", "data",
    "network", "transfer", "features", "head", "endpoint", "trainer", "logger", "pipeline", "runs",
    "hydra", "experiment", "sweep",
}  # fmt: skip
COHORTS = ("cohort", "other", "pretraining.cohort", "finetuning.cohort")


def options_of(cfg: DictConfig, group: str) -> Any:
    """A group of options as its dataclass."""
    values = {name: value for name, value in plain(cfg[group]).items() if name not in ("cohort", "schedule")}
    return read(GROUPS[group], values, group)


def general_of(cfg: DictConfig) -> General:
    """Name, seed and title."""
    return read(General, {"name": _text(cfg.name), "setting": _text(cfg.setting), "seed": cfg.seed}, "")


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def check_options(cfg: DictConfig) -> None:
    """Every group of options and every cohort, used or not: what does not fit is a ConfigError before any work."""
    general_of(cfg)
    channels_of(cfg)
    unknown = [str(name) for name in cfg if str(name) not in KNOWN]
    if unknown:
        near = difflib.get_close_matches(unknown[0], KNOWN, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"one of {', '.join(sorted(KNOWN))} expected"
        raise ConfigError(unknown[0], f"no such key found → {hint}", "Correct the key")
    for group in GROUPS:
        options_of(cfg, group)
    from glioma_os.fusion.rows import clinical_variables

    clinical_variables(options_of(cfg, "validation").clinical)
    for key in (*COHORTS, *(f"cohorts.{name}" for name in cfg.cohorts)):
        node = OmegaConf.select(cfg, key)
        if node is not None:
            Component.read(node, key, whole=False).load()
    for part in ("pretraining", "finetuning"):
        schedule_of(cfg, part)
    for key in ("trainer", "endpoint", "features", "logger"):
        component_of(cfg, key, whole=False).load()


def component_of(cfg: DictConfig, key: str, whole: bool = True) -> Component:
    """The class that the configuration names at that key, with its values."""
    return Component.read(OmegaConf.select(cfg, key), key, whole)


def trainer_of(cfg: DictConfig) -> Any:
    """Where and how fits run."""
    return component_of(cfg, "trainer").build()


def workspace_of(cfg: DictConfig, title: str | None = None) -> Workspace:
    """The folders of this command."""
    paths, general = options_of(cfg, "paths"), general_of(cfg)
    bare = without_paths(cfg)
    names = [str(name) for name in bare if name != "hydra"]
    groups = {name: plain(bare[name]) if OmegaConf.is_config(bare[name]) else bare[name] for name in names}
    return Workspace(
        Path(paths.runs), Path(paths.store), Path(paths.root), general.name, component_of(bare, "logger"),
        title or str(groups["setting"]), groups,
        stage_of(cfg) in READ_WHOLE, None if paths.job is None else Path(paths.job),
    )  # fmt: skip


def stage_of(cfg: DictConfig) -> str:
    """The stage's name."""
    return str(cfg.stage._target_).split(".")[-2]


def without_paths(cfg: DictConfig) -> DictConfig:
    """The configuration as if every path were blank: `paths` alone holds values of the environment, and other keys
    may quote them."""
    bare = copy.deepcopy(cfg)
    OmegaConf.set_readonly(bare, False)
    bare.paths = dict.fromkeys(cfg.paths, "")
    return bare


def training_of(cfg: DictConfig, part: str) -> Training:
    """The schedule of `pretraining` or `finetuning`, with its loss and its augmentation."""
    key = f"{part}.schedule"
    return Training(
        schedule_of(cfg, part), component_of(cfg, f"{key}.objective"), component_of(cfg, f"{key}.augmentation")
    )


def schedule_of(cfg: DictConfig, part: str) -> Schedule:
    """How long and how fast `pretraining` or `finetuning` fits."""
    values = plain(cfg[part].schedule)
    own = {name: value for name, value in values.items() if name not in ("objective", "augmentation")}
    return read(Schedule, own, f"{part}.schedule")


def plan_of(cfg: DictConfig) -> SegmentationPlan:
    """How the segmenters of this configuration come about."""
    pretraining, finetuning = options_of(cfg, "pretraining"), options_of(cfg, "finetuning")
    trainer = trainer_of(cfg)
    if trainer.retain_freed_memory:
        retain_freed_memory()
    recipe = Recipe(
        component_of(cfg, "network"), component_of(cfg, "data"), trainer, options_of(cfg, "prepare").spacing_mm
    )
    missing = [channel for channel in channels_of(cfg) if channel not in pretraining.channels]
    if missing and pretraining.source != "none":
        raise ConfigError(
            "pretraining.channels", f"{', '.join(pretraining.channels)} found → {', '.join(missing)} too expected",
            "Pre-train with every channel that is fine-tuned",
        )  # fmt: skip
    cohorts = {
        part: component_of(cfg, f"{part}.cohort") if options.source == "cohort" else None
        for part, options in (("pretraining", pretraining), ("finetuning", finetuning))
    }
    return SegmentationPlan(
        recipe, channels_of(cfg), pretraining, cohorts["pretraining"], training_of(cfg, "pretraining"), finetuning,
        cohorts["finetuning"], training_of(cfg, "finetuning"), component_of(cfg, "transfer"), general_of(cfg).seed,
    )  # fmt: skip


def channels_of(cfg: DictConfig) -> tuple[str, ...]:
    """The segmenter's channels, in the network's order."""
    asked = plain(cfg.channels) if OmegaConf.is_config(cfg.channels) else cfg.channels
    return read(Channels, {"channels": asked}, "").channels


def features_of(cfg: DictConfig) -> FeatureSource:
    """What of the images reaches the heads."""
    source = component_of(cfg, "features")
    needs_images = getattr(source.load(), "needs_images", False)
    return source.build(**({"plan": plan_of(cfg)} if needs_images else {}))


def segmenting_arm_of(cfg: DictConfig) -> tuple[Arm, SegmentationPlan]:
    """The arm with latents as features, whatever the configuration chooses, and the plan of its segmenters."""
    plan = plan_of(cfg)
    chosen = component_of(cfg, "features")
    source = LatentFeatures(plan, **({"pooling": chosen.values["pooling"]} if "pooling" in chosen.values else {}))
    return arm_of(cfg, features=source), plan


def external_arm_of(cfg: DictConfig, workspace: Workspace) -> Arm:
    """The arm of an external validation: a training cohort without images has no latents."""
    needs_images = component_of(cfg, "features").load().needs_images  # type: ignore[attr-defined]
    blind = needs_images and not workspace.cohort(component_of(cfg, "cohort")).modalities
    return arm_of(cfg, features=NoFeatures() if blind else None)


def heads_of(cfg: DictConfig) -> tuple[Component, ...]:
    """The chosen heads; a node without a class holds a preset's options for a head that is not chosen."""
    chosen = [name for name, node in cfg.head.items() if not isinstance(node, DictConfig) or "_target_" in node]
    return tuple(component_of(cfg, f"head.{name}") for name in chosen)


def arm_of(cfg: DictConfig, name: str | None = None, features: FeatureSource | None = None) -> Arm:
    """The arm that this configuration describes, with its own features or those given."""
    general, source = general_of(cfg), features or features_of(cfg)
    return Arm(
        name or general.setting, component_of(cfg, "cohort"), options_of(cfg, "eligibility"), source,
        component_of(cfg, "endpoint").build(), heads_of(cfg), options_of(cfg, "validation"), general.seed,
    )  # fmt: skip


def arms_of(cfg: DictConfig, overrides: Sequence[str] | None = None) -> dict[str, DictConfig]:
    """Title → configuration, one for every entry of `settings`: the command line's with that entry's overrides.

    `overrides`: the command line, where it is not Hydra's current job.
    """
    named = plain(cfg.settings) if OmegaConf.is_config(cfg.settings) else cfg.settings
    if named is not None and not isinstance(named, dict):
        raise ConfigError("settings", f"{named!r} found → names with lists of overrides, or null, expected",
                          "Correct the value")  # fmt: skip
    if not named:
        return {general_of(cfg).setting: cfg}
    own = command_words(HydraConfig.get().overrides.task) if overrides is None else list(overrides)
    out = {}
    for name, words in named.items():
        if not isinstance(words, list):
            raise ConfigError(f"settings.{name}", f"{words!r} found → a list of overrides expected",
                              "Write [key=value, …]")  # fmt: skip
        out[name] = compose("config", overrides=[*own, *words])
    return out


def command_words(task: Any) -> list[str]:
    """The command line's words (Hydra's list) as they were given: interpolations in them are not resolved."""
    return [str(word) for word in OmegaConf.to_container(task, resolve=False) or ()]


def dashboards_of(arms: Mapping[str, DictConfig]) -> dict[str, dict[str, Any]]:
    """The settings of each arm that a dashboard may show."""
    return {name: dict(workspace_of(cfg, name).dashboard) for name, cfg in arms.items()}


def run_stage(cfg: DictConfig) -> Mapping[str, Path]:
    """Runs the stage that the configuration names; the run directories it leaves, by title."""
    check_targets(OmegaConf.to_container(cfg, resolve=False))
    return load_target(cfg.stage._target_, "stage")(cfg) or {}
