"""From configuration to objects: only names on the allow-list, and one way to do it."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.utils import get_object
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from glioma_os.errors import ConfigError

ALLOWED = (
    "glioma_os.",
    "torch.optim.",
    "torch.nn.",
    "monai.networks.nets.",
    "monai.losses.",
    "torchio.transforms.",
    "lightning.pytorch.loggers.",
)


def check_targets(node: Any, key: str = "") -> None:
    """Walks a resolved configuration; a `_target_` outside the allow-list is a ConfigError that names its key."""
    if isinstance(node, dict):
        target = node.get("_target_")
        if target is not None and not str(target).startswith(ALLOWED):
            raise ConfigError(
                f"{key}._target_".lstrip("."), f"{target!r} found → a name under {', '.join(ALLOWED)} expected",
                "Configuration cannot name other code",
            )  # fmt: skip
        for name, value in node.items():
            check_targets(value, f"{key}.{name}".lstrip("."))
    elif isinstance(node, list):
        for place, value in enumerate(node):
            check_targets(value, f"{key}[{place}]")


def plain(node: DictConfig | ListConfig) -> Any:
    """Plain dicts and lists, interpolations resolved; a missing value is a ConfigError that names the key."""
    try:
        return OmegaConf.to_container(node, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as fault:
        raise ConfigError(
            str(getattr(fault, "full_key", "") or "configuration"), str(fault).splitlines()[0], "Give it a value"
        ) from fault


def plain_groups(cfg: DictConfig, without: tuple[str, ...]) -> dict[str, Any]:
    """The top level of a configuration as plain values, leaving out what is named."""
    names = [str(name) for name in cfg if name not in without]
    return {name: plain(cfg[name]) if OmegaConf.is_config(cfg[name]) else cfg[name] for name in names}


def build(node: DictConfig, key: str, **extra: Any) -> Any:
    """The object a node's `_target_` names, built from its other keys (nested targets first) and `extra`.

    Not Hydra's instantiate: that turns dataclass arguments into configuration and wraps what constructors raise.
    """
    if not isinstance(node, DictConfig):
        raise ConfigError(key, f"{node!r} found → an option with its keys expected", "Set single keys, not the whole")
    values = plain(node)
    check_targets(values, key)
    return _build(values, key, extra)


def _build(value: Any, key: str, extra: dict[str, Any]) -> Any:
    if isinstance(value, list):
        return [_build(item, f"{key}[{place}]", {}) for place, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    built = {name: _build(item, f"{key}.{name}", {}) for name, item in value.items() if name != "_target_"}
    if "_target_" not in value:
        return built
    try:
        target = get_object(value["_target_"])
        bound = inspect.signature(target).bind(**built, **extra)
    except (TypeError, ImportError, ValueError, AttributeError) as fault:
        raise ConfigError(key, str(fault), "Compare with the option's yaml in conf/") from fault
    return target(*bound.args, **bound.kwargs)


def run_stage(cfg: DictConfig) -> Mapping[str, Path]:
    """Runs the stage the configuration names; the run directories it leaves, by title."""
    stage = plain(cfg.stage)
    check_targets(stage, "stage")
    module, function = stage["_target_"].rsplit(".", 1)
    return getattr(importlib.import_module(module), function)(cfg) or {}
