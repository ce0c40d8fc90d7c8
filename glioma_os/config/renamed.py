"""Keys that were renamed: what a user saved before works for one release, with a warning."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # --help imports this module, and must not wait for OmegaConf
    from omegaconf import DictConfig

RENAMED = {  # until 0.3
    "pretraining.from": "pretraining.source",
    "finetuning.from": "finetuning.source",
    "features.lacking": "features.missing",
    "network.field": "network.normalization_volume",
    "trainer.keep_pages": "trainer.retain_freed_memory",
    "transfer.thaw": "transfer.unfreeze",
}


def rename_word(word: str) -> str:
    """A word of the command line with the key's name of now."""
    name, sign, value = word.partition("=")
    plain = name.lstrip("+~")
    if plain not in RENAMED:
        return word
    _warn(plain)
    return f"{name[: len(name) - len(plain)]}{RENAMED[plain]}{sign}{value}"


def rename_keys(cfg: DictConfig) -> None:
    """The same in a composed configuration, where a preset of a user's own has an old key."""
    from omegaconf import DictConfig, OmegaConf, open_dict

    for old, new in RENAMED.items():
        group, _, key = old.partition(".")
        node = OmegaConf.select(cfg, group)
        if isinstance(node, DictConfig) and key in node:
            with open_dict(node):
                node[new.partition(".")[2]] = node.pop(key)
            _warn(old)


def _warn(old: str) -> None:
    print(f"Warning: {old} is called {RENAMED[old]} now; the old name ends with 0.3", file=sys.stderr)
