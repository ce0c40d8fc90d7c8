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
    "validation.inner_folds": 2,
    "validation.replicates": 20,
    "null_runs.runs": 1,
    "validation.instability": 0,
}


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
        if not isinstance(value, int) or value < least:
            raise ConfigError(key, f"{value} found → {least} or more expected", "Raise it")
    clinical = cfg.validation.clinical
    clinical_variables(clinical if isinstance(clinical, str) else list(clinical or ()))
    if not cfg.validation.components:
        raise ConfigError("validation.components", "none found → one or more expected", "[null] keeps every feature")
    days = list(cfg.validation.horizons_days or ())
    if not all(isinstance(day, int | float) and day > 0 for day in days) or days != sorted(set(days)):
        raise ConfigError("validation.horizons_days", f"{days} found → rising days above 0", "Correct the days")


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
