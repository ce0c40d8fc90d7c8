"""What is wrong with the words of a command line and with values, told before anything is built."""

from __future__ import annotations

from collections.abc import Sequence
from types import NoneType
from typing import get_args

from hydra import compose
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import OverrideType
from omegaconf import DictConfig, ListConfig, OmegaConf

from glioma_os.errors import ConfigError
from glioma_os.fusion.folds import LeakPolicy
from glioma_os.fusion.rows import clinical_variables

# Type of a key's own value → what may take its place. A bool is an int to Python, so it comes first.
KINDS: dict[type, tuple[type, ...]] = {
    bool: (bool,), int: (int,), float: (int, float, NoneType), ListConfig: (list, NoneType),
}  # fmt: skip
CHOICES: dict[str, tuple[str, ...]] = {
    "validation.leak_policy": get_args(LeakPolicy),
    "validation.interval": ("percentile", "bca"),  # fusion.scores' own, whose import takes a second
    "null_runs.kind": ("labels", "noise", "features"),  # fusion.null's own
}
LEAST = {
    "seed": 0,
    "synthetic.seed": 0,
    "trainer.devices": 1,
    "validation.inner_folds": 2,
    "validation.replicates": 20,
    "null_runs.runs": 1,
    "validation.instability": 0,
}
LARGEST_SEED = 2**32 - 1
COHORTS = ("cohort", "other", "pretraining.cohort", "finetuning.cohort")
TEXTS = ("table", "root", "name", "survival", "name_mapping", "crosswalk")  # of a cohort, and all of its …_column
MAY_BE_NULL = ("table", "root", "survival", "name_mapping", "crosswalk", "event_column")


def check_types(words: Sequence[str]) -> None:
    """Words of the command line: text for a number, a number for a list and the like are a ConfigError each.

    What counts is the type that the key has without a preset; where it is text or null there, anything goes.
    """
    groups = GlobalHydra.instance().config_loader().list_groups("")
    parsed = OverridesParser.create().parse_overrides(list(words))
    choices = [one for one in parsed if one.key_or_group.partition("/")[0] in groups]
    values = [one for one in parsed if one not in choices and one.type is OverrideType.CHANGE]
    if not values:
        return
    presets = ("experiment", "sweep")
    known = compose("config", [str(one.input_line) for one in choices if one.key_or_group not in presets])
    for key, value in ((one.key_or_group, one.value()) for one in values):
        default = OmegaConf.select(known, key, throw_on_resolution_failure=False)
        kinds = next((kinds for own, kinds in KINDS.items() if isinstance(default, own)), None)
        if kinds is not None and type(value) not in kinds and "${" not in str(value):
            raise ConfigError(key, f"{value!r} found → a value like {default} expected", "Correct the value")


def check_values(cfg: DictConfig) -> None:
    """Seed and validation options of every stage: one that nothing can be made of is a ConfigError."""
    for key, choices in CHOICES.items():
        value = OmegaConf.select(cfg, key)
        if value not in choices:
            raise ConfigError(key, f"{value!r} found → one of {list(choices)} expected", "Correct the key")
    for key, least in LEAST.items():
        value = OmegaConf.select(cfg, key)
        if not _is_whole(value) or value < least:
            raise ConfigError(key, f"{value} found → {least} or more expected", "Raise it")
    if cfg.seed > LARGEST_SEED:
        raise ConfigError("seed", f"{cfg.seed} found → {LARGEST_SEED} or less expected", "Lower it")
    repeats = cfg.validation.repeats
    if repeats != "auto" and not (_is_whole(repeats) and repeats >= 1):
        raise ConfigError("validation.repeats", f"{repeats!r} found → auto or a whole number from 1 on expected",
                          "Correct the value")  # fmt: skip
    _check_texts(cfg)
    clinical = cfg.validation.clinical
    clinical_variables(clinical if isinstance(clinical, str) else list(clinical or ()))
    if not cfg.validation.components:
        raise ConfigError("validation.components", "none found → one or more expected", "[null] keeps every feature")
    days = list(cfg.validation.horizons_days or ())
    if not all(isinstance(day, int | float) and day > 0 for day in days) or days != sorted(set(days)):
        raise ConfigError("validation.horizons_days", f"{days} found → rising days above 0", "Correct the days")


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check_texts(cfg: DictConfig) -> None:
    """Names, folders and what cohorts call their tables and columns are text."""
    for key in ("name", "setting"):
        if OmegaConf.select(cfg, key) in (None, ""):
            raise ConfigError(key, f"{OmegaConf.select(cfg, key)!r} found → a plain name expected", "Name it")
    for key in ("paths.root", "paths.runs", "paths.store"):
        folder = OmegaConf.select(cfg, key)
        if not isinstance(folder, str) or not folder:
            raise ConfigError(key, f"{folder!r} found → a folder expected", "Give its path as text")
    for place in (*COHORTS, *(f"cohorts.{name}" for name in cfg.get("cohorts") or {})):
        for key in OmegaConf.select(cfg, place) or {}:
            column = str(key).endswith(("_column", "_columns"))
            if column or key in TEXTS:
                _check_text(f"{place}.{key}", OmegaConf.select(cfg, f"{place}.{key}"), key in MAY_BE_NULL)


def _check_text(key: str, value: object, may_be_null: bool) -> None:
    """Text, or a list of texts where the key is one of several."""
    several = key.endswith("_columns")
    fine = may_be_null and value is None
    if several:
        fine = value is None or (isinstance(value, ListConfig) and all(isinstance(one, str) for one in value))
    if not fine and not isinstance(value, NoneType if several else str):
        shown = list(value) if isinstance(value, ListConfig) else value
        raise ConfigError(key, f"{shown!r} found → {'a list of texts' if several else 'text'} expected",
                          f"Write text; digits that are text stand in quotes: '{key}=\"5\"'")  # fmt: skip


def check_horizons(days: Sequence[float], last_follow_up_days: float) -> list[float]:
    """The horizons at or beyond the last follow-up, where no curve can be judged; a ConfigError if all of them are."""
    beyond = [day for day in days if day >= last_follow_up_days]
    if beyond and len(beyond) == len(days):
        raise ConfigError(
            "validation.horizons_days",
            f"{', '.join(f'{day:g}' for day in days)} found → days before the last follow-up of the eligible patients, "
            f"{last_follow_up_days:g}, expected",
            "Correct the days, or set validation.horizons_days=[]",
        )
    return beyond
