"""Pages that are made from the code and from files of the repository, when the documentation is built."""

from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import yaml

ROOT = Path(__file__).resolve().parents[1]
COPIES = {"changelog.md": "CHANGELOG.md", "contributing.md": "CONTRIBUTING.md"}
OPTIONS = ("cohort", "data", "network", "transfer", "features", "head", "endpoint", "trainer", "logger", "schedule")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """A page that is only a mark `<!-- generated -->` gets its text here."""
    name = page.file.src_uri
    if name in COPIES:
        text = (ROOT / COPIES[name]).read_text()
        return re.sub(r"\]\(docs/", "](", text)
    if name == "configuration.md":
        return markdown.replace("<!-- generated -->", configuration())
    return markdown


def configuration() -> str:
    """Every group of options and every option, with type, default and what it means."""
    from glioma_os.config.options import GROUPS, Channels, General

    parts = ["## Values without a group", _table(General), _table(Channels)]
    for name, kind in GROUPS.items():
        parts += [f"## {name}", _text(kind), _table(kind)]
    for group in OPTIONS:
        parts += [f"## {group}", f"`{group}=OPTION` chooses one of these."]
        for path in sorted((ROOT / "conf" / group).glob("*.yaml")):
            parts += [f"### {group}={path.stem}", "```yaml", path.read_text().strip(), "```"]
    return "\n\n".join(parts).replace("```yaml\n\n", "```yaml\n").replace("\n\n```", "\n```")


def _text(kind: type) -> str:
    return inspect.cleandoc(kind.__doc__ or "").replace("\n", " ").strip()


def _table(kind: type) -> str:
    hints = get_type_hints(kind, include_extras=True)
    rows = ["| key | type | default |", "|---|---|---|"]
    for field in dataclasses.fields(kind):
        default = field.default if field.default is not dataclasses.MISSING else field.default_factory()  # type: ignore[misc]
        if dataclasses.is_dataclass(default):
            default = dataclasses.asdict(default)
        if isinstance(default, tuple):
            default = [getattr(one, "value", one) for one in default]
        rows.append(f"| `{field.name}` | {_type(hints[field.name])} | `{_shown(default)}` |")
    return "\n".join(rows)


def _shown(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, allow_unicode=True).replace("\n...", "").strip()


def _type(hint: Any) -> str:
    """A type in words: choices by name, limits as they are checked."""
    if get_origin(hint) is Annotated:
        inner, *limits = get_args(hint)
        words = [text for limit in limits for text in _limits(limit)]
        return " ".join([_type(inner), *words])
    arguments = get_args(hint)
    if "Literal" in str(get_origin(hint)):
        return ", ".join(f"`{one}`" for one in arguments)
    if get_origin(hint) is tuple:
        return f"list of {_type(arguments[0])}"
    if arguments:
        return " or ".join(_type(one) for one in arguments)
    names = {int: "whole number", float: "number", bool: "true or false", str: "text", type(None): "null"}
    return names.get(hint, getattr(hint, "__name__", str(hint)).lower())


def _limits(limit: Any) -> list[str]:
    words = {"ge": "from {}", "gt": "above {}", "le": "to {}", "lt": "below {}", "min_length": "({} or more)"}
    parts = getattr(limit, "metadata", [limit])
    return [text.format(getattr(part, name)) for part in parts for name, text in words.items() if hasattr(part, name)]
