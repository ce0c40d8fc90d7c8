"""What may leave the machine: named numbers, named settings, and pseudonyms that cannot be reversed."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import math
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glioma_os.volumes.atomic import draft_beside

METRIC = re.compile(r"^(train|val|test)/[a-z0-9_]+$")
PROGRESS = ("epoch", "trainer/global_step")
# Groups of the configuration that say how, not on whom or where.
OPEN_GROUPS = (
    "name", "seed", "channels", "setting", "synthetic", "prepare", "network", "transfer", "head", "endpoint",
    "validation", "trainer", "pretraining", "finetuning", "features",
)  # fmt: skip
CLOSED_KEYS = re.compile(r"(^|\.)(cohort|weights|md5|path|root|table|id_column|pattern|to|drop|seen_prefix)(\.|$)")
KEY = "pseudonyms.key"


def open_metrics(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Finite numbers under an allowed name; everything else stays."""
    found = {}
    for name, value in metrics.items():
        if METRIC.match(name) or name in PROGRESS:
            number = float(value)
            if math.isfinite(number):
                found[name] = number
    return found


def open_config(config: Mapping[str, Any]) -> dict[str, bool | int | float | str]:
    """The allowed settings, flat under dotted keys. Text that could be a path stays."""
    flat: dict[str, bool | int | float | str] = {}

    def walk(node: Any, key: str) -> None:
        if isinstance(node, Mapping):
            for name, value in node.items():
                walk(value, f"{key}.{name}" if key else str(name))
        elif isinstance(node, list | tuple):
            if all(isinstance(item, bool | int | float | str) for item in node):
                walk(", ".join(map(str, node)), key)
        elif isinstance(node, bool | int | float) or (isinstance(node, str) and not re.search(r"[\\/~@]", node)):
            flat[key] = node

    walk({name: config[name] for name in OPEN_GROUPS if name in config}, "")
    return {key: value for key, value in flat.items() if not CLOSED_KEYS.search(key)}


class Pseudonyms:
    """Case ids as `P-` and ten hex digits, by a key that never leaves the folder: the same case, the same pseudonym."""

    def __init__(self, folder: Path) -> None:
        self._key = _key(folder / KEY)

    def __call__(self, case_id: str) -> str:
        """The pseudonym of a case id."""
        return "P-" + hmac.new(self._key, case_id.encode(), hashlib.sha256).hexdigest()[:10]


def _key(path: Path) -> bytes:
    """The folder's key, made at the first call; of several processes the first one's counts."""
    if not path.exists():
        with draft_beside(path) as draft:
            draft.write_bytes(secrets.token_bytes(32))  # a draft is its owner's alone
            with contextlib.suppress(FileExistsError):
                os.link(draft, path)  # fails where another process was first
    return path.read_bytes()
