"""The registry: which classes a configuration may name, and where. Nothing else is imported or built.

A package of a user's own adds to it by an entry point, which takes an installation and cannot be done by a
configuration: in its pyproject.toml `[project.entry-points."glioma_os.head"]` `ridge = "my_package.heads:Ridge"`, and
then `_target_: my_package.heads.Ridge` under `head`, in a yaml of its own in a folder `head/` that the command line
names: `--config-dir FOLDER head=ridge`.
"""

from __future__ import annotations

import importlib
import inspect
import re
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from omegaconf import DictConfig, OmegaConf

from glioma_os.errors import ConfigError

STAGES = (
    "apply", "audit", "collect", "latents", "permutation_test", "prepare", "report", "segment", "study", "survival",
    "sync", "validate", "verify",
)  # fmt: skip
HEADS = (
    "cox.Cox", "discrete_hazard.DiscreteHazard", "elastic_net.ElasticNet", "extra_trees.ExtraTrees",
    "logistic.Logistic", "mlp.MLP", "random_forest.RandomForest", "survival_forest.SurvivalForest",
    "weibull.WeibullAFT", "xgboost.XGBoost",
)  # fmt: skip
REGISTRY: dict[str, tuple[str, ...]] = {
    "stage": tuple(f"glioma_os.stages.{name}.main" for name in STAGES),
    "cohort": (
        "glioma_os.cohorts.besta.BestaCohort", "glioma_os.cohorts.brats.BratsCohort",
        "glioma_os.cohorts.brats.BratsTableCohort", "glioma_os.cohorts.synthetic.synthetic_cohort",
        "glioma_os.cohorts.table.TableCohort", "glioma_os.cohorts.ucsf.UcsfCohort",
        "glioma_os.cohorts.upenn.UpennCohort",
    ),
    "data": ("glioma_os.data.besta.BestaDataModule", "glioma_os.data.brats.BratsDataModule"),
    "network": (
        "glioma_os.networks.dynunet.GliomaDynUNet", "glioma_os.networks.segresnet.GliomaSegResNet",
        "glioma_os.networks.segresnet_ds.GliomaSegResNetDS", "glioma_os.networks.swin_unetr.GliomaSwinUNETR",
    ),
    "transfer": tuple(
        f"glioma_os.modules.transfer.{name}" for name in ("Frozen", "Full", "Gradual", "LastStage", "Scratch")
    ),
    "head": tuple(f"glioma_os.fusion.heads.{name}" for name in HEADS),
    "endpoint": ("glioma_os.survival.endpoints.Endpoint",),
    "trainer": ("glioma_os.training.options.TrainerOptions",),
    "features": (
        "glioma_os.pipeline.features.latents.LatentFeatures", "glioma_os.pipeline.features.none.NoFeatures",
        "glioma_os.pipeline.features.tables.FeatureTables",
    ),
    "tracker": (
        "glioma_os.pipeline.trackers.CsvTracker", "glioma_os.pipeline.trackers.LightningTracker",
        "glioma_os.pipeline.trackers.WandbTracker",
    ),
    "objective": (
        "monai.losses.DiceLoss", "monai.losses.DiceCELoss", "monai.losses.DiceFocalLoss", "monai.losses.FocalLoss",
        "monai.losses.GeneralizedDiceLoss", "monai.losses.TverskyLoss", "torch.nn.BCEWithLogitsLoss",
    ),
    "augmentation": ("glioma_os.data.augmentation.Augmentation",),
    "logger": (
        "lightning.pytorch.loggers.CSVLogger", "lightning.pytorch.loggers.MLFlowLogger",
        "lightning.pytorch.loggers.TensorBoardLogger",
    ),
    "launcher": ("hydra_plugins.glioma_os_launcher.ProcessLauncher",),
    "sweeper": (
        "hydra._internal.core_plugins.basic_sweeper.BasicSweeper", "hydra_plugins.glioma_os_search.SearchSweeper",
    ),
}  # fmt: skip
# What a class of another package must be, where one may be added: module and name.
EXTENSIBLE: dict[str, tuple[str, str]] = {
    "cohort": ("glioma_os.cohorts.cohort", "Cohort"),
    "data": ("glioma_os.data.segmentation", "SegmentationDataModule"),
    "network": ("torch.nn", "Module"),
    "transfer": ("glioma_os.modules.transfer", "TransferPolicy"),
    "head": ("glioma_os.fusion.heads.contract", "Head"),
    "features": ("glioma_os.pipeline.features.contract", "FeatureSource"),
    "tracker": ("glioma_os.pipeline.trackers", "Tracker"),
    "objective": ("torch.nn", "Module"),
    "logger": ("lightning.pytorch.loggers.logger", "Logger"),
}
# Keys of the configuration at which an object of that kind stands.
PLACES = {
    "cohort": r"cohort|other|pretraining\.cohort|finetuning\.cohort|cohorts\.[^.]+",
    "head": r"head\.[^.]+",
    "objective": r"(pretraining\.|finetuning\.)?schedule\.objective",
    "augmentation": r"(pretraining\.|finetuning\.)?schedule\.augmentation",
    "tracker": r"logger",
    "logger": r"logger\.logger",
    "launcher": r"hydra\.launcher",
    "sweeper": r"hydra\.sweeper",
}
RUNS_CODE = (  # in Hydra's own configuration
    "callbacks", "job.env_set",
    *(f"{log}.{part}" for log in ("job_logging", "hydra_logging") for part in ("handlers", "formatters", "filters")),
)  # fmt: skip
LINE = re.compile(r"[\w .:,@%/+=-]*")
QUEUE_OPTIONS = re.compile(  # of submitit; its others put commands into the job's script
    r"timeout_min|mem_gb|cpus_per_task|nodes|tasks_per_node|gpus_per_node|name|slurm_(account|array_parallelism|comment|"
    r"constraint|cpus_per_gpu|cpus_per_task|dependency|exclude|exclusive|gpus_per_node|gpus_per_task|gres|job_name|mail_"
    r"type|mail_user|mem|mem_per_cpu|mem_per_gpu|nodelist|nodes|ntasks_per_node|num_gpus|partition|qos|signal_delay_s|"
    r"time|use_srun|wckey)"
)


def slot_of(key: str) -> str | None:
    """What kind of object stands at that key of the configuration; None where none does."""
    if key in REGISTRY and key not in PLACES:
        return key
    return next((slot for slot, pattern in PLACES.items() if re.fullmatch(pattern, key)), None)


def check_target(target: object, key: str) -> None:
    """A name that is not registered for the key it stands at is a ConfigError. Nothing is imported."""
    slot = slot_of(key)
    allowed = () if slot is None else (*REGISTRY[slot], *_added(slot))
    if not isinstance(target, str) or target not in allowed:
        expected = f"one of {', '.join(allowed)}" if allowed else "no class"
        raise ConfigError(
            f"{key}._target_".lstrip("."), f"{target!r} found → {expected} expected",
            "Configuration cannot name other code",
        )  # fmt: skip


def load_target(target: object, key: str) -> Any:
    """The class or function that a registered name stands for. It must be defined in the module that it is named by
    (or inside that package), and one of another package must be of its slot's kind."""
    check_target(target, key)
    slot, name = str(slot_of(key)), str(target)
    entry = _added(slot).get(name)
    module, _, attribute = name.rpartition(".")
    try:
        found = entry.load() if entry is not None else getattr(importlib.import_module(module), attribute)
    except AttributeError as fault:
        raise ConfigError(f"{key}._target_", str(fault), "Correct the package's entry point") from fault
    home = str(getattr(found, "__module__", ""))
    if (home != module and not home.startswith(f"{module}.")) or getattr(found, "__qualname__", "") != attribute:
        raise ConfigError(f"{key}._target_", f"{name}, which is defined in {home or 'no module'}, found → a class of "
                          f"{module} expected", "Name it by the module that defines it")  # fmt: skip
    if entry is not None and not (inspect.isclass(found) and issubclass(found, _base(slot))):
        raise ConfigError(
            f"{key}._target_", f"{name} found → a subclass of {'.'.join(EXTENSIBLE[slot])} expected",
            "Correct the package's entry point",
        )  # fmt: skip
    return found


@cache
def _added(slot: str) -> dict[str, EntryPoint]:
    """Entry points of installed packages for this slot, by the name that a configuration uses."""
    if slot not in EXTENSIBLE:
        return {}
    return {entry.value.replace(":", "."): entry for entry in entry_points(group=f"glioma_os.{slot}")}


def _base(slot: str) -> type:
    module, name = EXTENSIBLE[slot]
    base: type = getattr(importlib.import_module(module), name)
    return base


def check_targets(node: Any, key: str = "") -> None:
    """Walks plain values; a `_target_` that is not registered for its place is a ConfigError that names its key."""
    if isinstance(node, dict):
        if "_target_" in node:
            check_target(node["_target_"], key)
        for name, value in node.items():
            check_targets(value, f"{key}.{name}".lstrip("."))
    elif isinstance(node, list):
        for place, value in enumerate(node):
            check_targets(value, f"{key}[{place}]")


def check_hydra(node: DictConfig) -> None:
    """Hydra's own part of the configuration: it may start this package's launcher and searches, and nothing else.

    Callbacks, log handlers, environment variables and a queue's shell commands would each run what they name.
    """
    for key in ("launcher", "sweeper"):
        check_targets(OmegaConf.to_container(node[key], resolve=True), f"hydra.{key}")
    for key in RUNS_CODE:
        if OmegaConf.select(node, key):
            raise ConfigError(f"hydra.{key}", "a value found → none expected", "Configuration cannot name other code")
    for name, value in (OmegaConf.select(node, "launcher.queue") or {}).items():
        one_line = value is None or isinstance(value, bool | int | float) or LINE.fullmatch(str(value))
        if not QUEUE_OPTIONS.fullmatch(str(name)) or not one_line:
            raise ConfigError(f"hydra.launcher.queue.{name}", f"{value!r} found → an option without a command expected",
                              "Write commands into the shell's own start-up file")  # fmt: skip
