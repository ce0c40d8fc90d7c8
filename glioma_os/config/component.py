"""A part of the configuration that names a class: read as plain values, built when it is used."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from glioma_os.config.registry import check_targets, load_target
from glioma_os.config.schema import arguments, defaults
from glioma_os.errors import ConfigError


def plain(node: DictConfig | ListConfig, whole: bool = True) -> Any:
    """Plain dicts and lists, interpolations resolved; a missing value is a ConfigError that names the key, or left
    out where the values need not be `whole`."""
    try:
        if not whole and isinstance(node, DictConfig):
            given = {str(key): node[key] for key in node if not OmegaConf.is_missing(node, key)}
            return {key: plain(value, whole) if OmegaConf.is_config(value) else value for key, value in given.items()}
        return OmegaConf.to_container(node, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as fault:
        raise ConfigError(
            str(getattr(fault, "full_key", "") or "configuration"), str(fault).splitlines()[0], "Give it a value"
        ) from fault


@dataclass(frozen=True)
class Component:
    """The class `target` and the values for it, as they stand at `key` of the configuration.

    The key decides which classes the registry allows. Other parameters of the class are given by `build`.
    """

    key: str
    target: str
    values: Mapping[str, Any]

    @classmethod
    def read(cls, node: Any, key: str, whole: bool = True) -> Self:
        """From a node of the configuration, `whole` as in `plain`. A class that the registry does not know at this
        place is a ConfigError."""
        if not isinstance(node, DictConfig):
            raise ConfigError(
                key, f"{node!r} found → an option with its keys expected", "Set single keys, not the whole"
            )
        values = plain(node, whole)
        check_targets(values, key)
        target = values.pop("_target_", None)
        if target is None:
            raise ConfigError(f"{key}._target_", "none found → a class expected", "Choose one of the options")
        return cls(key, str(target), values)

    @property
    def name(self) -> str:
        """Of the class, for messages."""
        return self.target.rpartition(".")[2]

    def load(self) -> Callable[..., Any]:
        """The class or function; its values are checked against its types."""
        target: Callable[..., Any] = load_target(self.target, self.key)
        arguments(target, self.values, self.key)
        return target

    def build(self, **extra: Any) -> Any:
        """The object: from its own values and `extra`, which the caller knows and no configuration holds."""
        target = load_target(self.target, self.key)
        values = arguments(target, self.values, self.key)
        try:
            bound = inspect.signature(target).bind(**values, **extra)
        except (TypeError, ValueError) as fault:
            raise ConfigError(self.key, str(fault), "Compare with the option's yaml in conf/") from fault
        try:
            return target(*bound.args, **bound.kwargs)
        except (ValueError, TypeError, RuntimeError, ArithmeticError, LookupError) as fault:
            # What the class itself, torch or MONAI says of values that none of its types forbids.
            reason = " ".join(str(fault).split())
            raise ConfigError(
                self.key, f"{self.name} cannot be built from these values ({reason[:200]})", "Correct the values"
            ) from fault

    def described(self) -> dict[str, Any]:
        """Class and every value, defaults of the code among them: what a run that uses it depends on."""
        return {"class": self.target, **defaults(load_target(self.target, self.key)), **self.values}
