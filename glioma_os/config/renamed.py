"""Keys that were renamed: what a user saved before works for one release, with a warning."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # --help imports this module, and must not wait for OmegaConf
    from omegaconf import DictConfig

RENAMED = {  # until 0.3
    "pretraining.from": "pretraining.source",
    "finetuning.from": "finetuning.source",
    "null_runs.kind": "permutation_test.kind",
    "null_runs.runs": "permutation_test.runs",
    "features.lacking": "features.missing",
    "network.field": "network.normalization_volume",
    "trainer.keep_pages": "trainer.retain_freed_memory",
    "transfer.thaw": "transfer.unfreeze",
}


def rename_word(word: str) -> str:
    """A word of the command line with the names of now."""
    name, sign, value = word.partition("=")
    if word == "stage=null_runs":
        print("Warning: stage=null_runs is called stage=permutation_test now; the old name ends with 0.3",
              file=sys.stderr)  # fmt: skip
        return "stage=permutation_test"
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
            with open_dict(cfg):
                OmegaConf.update(cfg, new, node[key])
                del node[key]
            _warn(old)


def _warn(old: str) -> None:
    print(f"Warning: {old} is called {RENAMED[old]} now; the old name ends with 0.3", file=sys.stderr)
