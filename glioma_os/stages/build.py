"""From configuration to objects: only names on the allow-list, and one way to do it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from glioma_os.errors import ConfigError
from glioma_os.stages.registry import check_targets, load_target


def plain(node: DictConfig | ListConfig) -> Any:
    """Plain dicts and lists, interpolations resolved; a missing value is a ConfigError that names the key."""
    try:
        return OmegaConf.to_container(node, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as fault:
        raise ConfigError(
            str(getattr(fault, "full_key", "") or "configuration"), str(fault).splitlines()[0], "Give it a value"
        ) from fault


def command_words(task: Any) -> list[str]:
    """The command line's words (Hydra's list) as they were given: interpolations in them are not resolved."""
    return [str(word) for word in OmegaConf.to_container(task, resolve=False) or ()]


def plain_groups(cfg: DictConfig, without: tuple[str, ...]) -> dict[str, Any]:
    """The top level of a configuration as plain values, leaving out what is named."""
    names = [str(name) for name in cfg if name not in without]
    return {name: plain(cfg[name]) if OmegaConf.is_config(cfg[name]) else cfg[name] for name in names}


def build(node: DictConfig, key: str, **extra: Any) -> Any:
    """The object that a node's `_target_` names, built from its other keys and `extra`; `key` is where the node stands,
    and decides which classes the registry allows.

    Not Hydra's instantiate: that turns dataclass arguments into configuration and wraps what constructors raise.
    """
    if not isinstance(node, DictConfig):
        raise ConfigError(key, f"{node!r} found → an option with its keys expected", "Set single keys, not the whole")
    values = plain(node)
    check_targets(values, key)
    target = load_target(values.pop("_target_", None), key)
    try:
        bound = inspect.signature(target).bind(**values, **extra)
    except (TypeError, ValueError) as fault:
        raise ConfigError(key, str(fault), "Compare with the option's yaml in conf/") from fault
    return target(*bound.args, **bound.kwargs)


def run_stage(cfg: DictConfig) -> Mapping[str, Path]:
    """Runs the stage the configuration names; the run directories it leaves, by title."""
    check_targets(OmegaConf.to_container(cfg, resolve=False))
    return load_target(cfg.stage._target_, "stage")(cfg) or {}
