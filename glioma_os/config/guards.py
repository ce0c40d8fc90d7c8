"""What stands between a configuration and this process: code that it may start, variables that it may read, folders
that it may name."""

from __future__ import annotations

import os
import re
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from omegaconf import DictConfig, Node, OmegaConf

from glioma_os.config.registry import check_hydra
from glioma_os.config.renamed import rename_keys
from glioma_os.errors import ConfigError

PREFIX = "GLIOMA_OS_"
NAME = re.compile(r"\w(?:[\w .,+()&%-]{0,78}[\w+)%])?")
NAMES = (
    "name",
    "setting",
    "endpoint.name",
    "logger.project",
    "logger.logger.name",
    "logger.logger.version",
    "logger.logger.sub_dir",
)
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


def check_names(cfg: DictConfig) -> None:
    """Names become folders and files: one that leads elsewhere, or that no file system takes, is a ConfigError."""
    named = [(key, OmegaConf.select(cfg, key)) for key in NAMES]
    named += [(f"settings.{name}", name) for name in cfg.get("settings") or {}]
    named += [(f"cohorts.{name}", name) for name in cfg.get("cohorts") or {}]
    for key, name in named:
        if name not in (None, "") and not NAME.fullmatch(str(name)):
            raise ConfigError(
                key, f"{str(name)!r} found → a name of at most 80 letters, digits, blanks and .,+-_()&% that begins "
                "with a letter or digit expected", "It becomes a folder: to store runs elsewhere set paths.runs",
            )  # fmt: skip


_load = ConfigLoaderImpl.load_configuration


def _load_checked(self: ConfigLoaderImpl, *arguments: Any, **options: Any) -> DictConfig:
    # Hydra offers no hook between composing the configuration and acting on it: it would build callbacks, configure
    # logging and set environment variables before the first line of this program sees them.
    found = _load(self, *arguments, **options)
    rename_keys(found)
    check_hydra(found.hydra)
    check_names(found)
    return found
