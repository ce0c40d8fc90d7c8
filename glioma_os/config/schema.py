"""Values of a configuration against the types of the class that takes them; what does not fit is one sentence."""

from __future__ import annotations

import difflib
import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model
from pydantic_core import ErrorDetails

from glioma_os.errors import ConfigError

T = TypeVar("T")
STRICT = ConfigDict(strict=True, extra="forbid", arbitrary_types_allowed=True, allow_inf_nan=False)
# What a value of another type should have been, by pydantic's name of the fault.
EXPECTED = {
    "int_type": "a whole number", "int_from_float": "a whole number", "float_type": "a number",
    "bool_type": "true or false", "string_type": "text", "path_type": "", "tuple_type": "a list",
    "list_type": "a list", "dict_type": "keys with values", "mapping_type": "keys with values", "none_required": "null",
    "literal_error": "one of {expected}", "enum": "one of {expected}", "greater_than_equal": "{ge} or more",
    "greater_than": "a number above {gt}", "less_than_equal": "{le} or less", "less_than": "a number below {lt}",
    "too_short": "{min_length} or more entries", "string_too_short": "text", "missing": "a value",
    "missing_argument": "a value", "dataclass_type": "an option with its keys", "finite_number": "a finite number",
}  # fmt: skip
UNKNOWN_KEY = ("extra_forbidden", "unexpected_keyword_argument")


def arguments(target: Callable[..., Any], values: Mapping[str, Any], key: str) -> dict[str, Any]:
    """`values` as `target` takes them (lists as tuples where it says so); a key that it does not take, one that it
    lacks or a value of another type is a ConfigError.

    Classes of other packages are held to their parameters' names alone: their annotations promise too little.
    """
    if not is_own(target):
        _bind(target, values, key)
        return dict(values)
    model = _model(target, frozenset(values))
    handed_on = {name: value for name, value in values.items() if takes_any(target) and name not in _parameters(target)}
    own = {name: value for name, value in values.items() if name not in handed_on}
    try:
        found = model.model_validate_json(json.dumps(own))
    except ValidationError as fault:
        raise _sentence(fault.errors(), own, key, list(_parameters(target))) from fault
    names = {name: getattr(found, f"of_{name}") for name in own} | handed_on
    # JSON has text keys alone, so that {1: censored} is kept as it was given.
    return {name: values[name] if isinstance(values[name], Mapping) else value for name, value in names.items()}


def read(kind: type[T], values: Mapping[str, Any], key: str) -> T:
    """The dataclass of these plain values; a ConfigError names the key that does not fit."""
    try:
        return TypeAdapter(kind).validate_json(json.dumps(dict(values)), strict=True)
    except ValidationError as fault:
        names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
        raise _sentence(fault.errors(), dict(values), key, names) from fault


def defaults(target: Callable[..., Any]) -> dict[str, Any]:
    """Parameters of a class or function that have a default, with it."""
    return {
        name: one.default
        for name, one in inspect.signature(target).parameters.items()
        if one.default is not inspect.Parameter.empty
    }


def takes_any(target: Callable[..., Any]) -> bool:
    """Whether it hands other arguments on (**options): those it is called with are checked by whom they reach."""
    return any(one.kind is one.VAR_KEYWORD for one in inspect.signature(target).parameters.values())


def is_own(target: Callable[..., Any]) -> bool:
    """Whether its annotations can be held to: this package's classes, and dataclasses of any other."""
    return str(getattr(target, "__module__", "")).startswith("glioma_os.") or is_dataclass(target)


def _parameters(target: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    own = inspect.signature(target).parameters
    return {name: one for name, one in own.items() if one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)}


@cache
def _model(target: Callable[..., Any], given: frozenset[str]) -> type[BaseModel]:
    """Of the parameters that are given: what is missing is found by the call itself, with what code adds to it."""
    annotated = target.__init__ if inspect.isclass(target) and not is_dataclass(target) else target
    hints = get_type_hints(annotated, include_extras=True)
    of = {name: (hints.get(name, Any), Field(alias=name)) for name in _parameters(target) if name in given}
    taken: dict[str, Any] = {f"of_{name}": one for name, one in of.items()}
    model: type[BaseModel] = create_model(f"{target.__name__}Values", __config__=STRICT, **taken)
    return model


def _bind(target: Callable[..., Any], values: Mapping[str, Any], key: str) -> None:
    try:
        inspect.signature(target).bind_partial(**values)
    except (TypeError, ValueError) as fault:
        raise ConfigError(key, str(fault), "Compare with the option's yaml in conf/") from fault


def _sentence(errors: list[ErrorDetails], values: dict[str, Any], key: str, names: list[str]) -> ConfigError:
    """The first value that does not fit: where, what was found, what all the types that it may have expect."""
    path, found = _place(errors[0], values)
    where = ".".join([key, *path]).strip(".")
    own = [error for error in errors if _place(error, values)[0] == path]
    if own[0]["type"] in UNKNOWN_KEY:
        near = difflib.get_close_matches(path[-1], names, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"one of {', '.join(names)} expected"
        return ConfigError(where, f"no such key found → {hint}", "Correct the key")
    if own[0]["type"] in ("missing", "missing_argument") and not isinstance(own[0]["loc"][-1], int):
        return ConfigError(where, "nothing found → a value expected", "Give it a value")
    expected = " or ".join(dict.fromkeys(text for error in own if (text := _expected(error))))
    return ConfigError(where, f"{found!r} found → {expected} expected", "Correct the value")


def _place(error: ErrorDetails, values: dict[str, Any]) -> tuple[list[str], Any]:
    """Keys that lead to the value, and the value: a list counts as one, whichever entry is wrong."""
    path: list[str] = []
    node: Any = values
    for part in error["loc"]:
        if not isinstance(node, dict):
            break
        if part not in node:
            if error["type"] in (*UNKNOWN_KEY, "missing", "missing_argument"):
                path.append(str(part))
            break
        path.append(str(part))
        node = node[part]
    return path, node


def _expected(error: ErrorDetails) -> str:
    context = error.get("ctx") or {}
    if error["type"] == "literal_error" and " or " not in str(context["expected"]):
        return str(context["expected"])
    if any(isinstance(part, int) for part in error["loc"]) and error["type"] == "missing":
        return "a list with as many entries as the default's"
    entry = "a list, each entry " if any(isinstance(part, int) for part in error["loc"]) else ""
    text = EXPECTED.get(error["type"], error["msg"][:1].lower() + error["msg"][1:])
    return entry + text.format(**context) if text else ""
