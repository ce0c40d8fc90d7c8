"""What stands between a configuration and this process: code that it may start, and variables that it may read."""

from __future__ import annotations

import os
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from omegaconf import DictConfig, Node, OmegaConf

from glioma_os.errors import ConfigError
from glioma_os.stages.registry import check_hydra

PREFIX = "GLIOMA_OS_"
_UNSET = object()


def guard_configuration() -> None:
    """Every configuration that Hydra composes from here on is checked before Hydra acts on it, and reads environment
    variables of this program only: others may hold secrets, and the configuration is stored and tracked."""
    OmegaConf.register_new_resolver("oc.env", _read_variable, replace=True)
    if ConfigLoaderImpl.load_configuration is not _load_checked:
        ConfigLoaderImpl.load_configuration = _load_checked  # type: ignore[method-assign]


def _read_variable(name: str, default: Any = _UNSET, *, _node_: Node) -> Any:
    key = str(_node_._get_full_key(None) or "configuration")
    if not name.startswith(PREFIX) or not key.startswith("paths."):
        raise ConfigError(
            key, f"the environment variable {name} found → a variable {PREFIX}… under paths expected",
            "Write the value itself, or let the shell fill it in: key=$VARIABLE",
        )  # fmt: skip
    if name not in os.environ and default is _UNSET:
        raise ConfigError(key, f"the environment variable {name} is not set", "Set it, or write the value itself")
    return os.environ.get(name, default)


_load = ConfigLoaderImpl.load_configuration


def _load_checked(self: ConfigLoaderImpl, *arguments: Any, **options: Any) -> DictConfig:
    # Hydra offers no hook between composing the configuration and acting on it: it would build callbacks, configure
    # logging and set environment variables before the first line of this program sees them.
    found = _load(self, *arguments, **options)
    check_hydra(found.hydra)
    return found
