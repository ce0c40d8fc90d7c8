"""Where a result comes from: versions, machine, code and configuration, without a name or a path of the user's."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from glioma_os import NOTICE, __version__

PACKAGES = (
    "torch", "lightning", "monai", "torchio", "hydra-core", "scikit-learn", "nibabel", "numpy", "scipy", "pandas",
    "xgboost-cpu", "wandb",
)  # fmt: skip


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _git() -> str | None:
    """Commit of the checkout the package runs from, with + if it was changed; None outside a checkout."""
    here = Path(__file__).resolve().parents[2]
    if not (here / ".git").exists():
        return None
    try:
        head = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], cwd=here, capture_output=True, text=True)
        dirty = subprocess.run(["git", "status", "--porcelain"], cwd=here, capture_output=True, text=True)
    except OSError:
        return None
    return head.stdout.strip() + ("+" if dirty.stdout.strip() else "") if head.returncode == 0 else None


def provenance() -> dict[str, Any]:
    """What every run directory records in addition to its key."""
    import torch

    return {
        "notice": NOTICE,
        "glioma_os": __version__,
        "git": _git(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
        "packages": {name: _installed(name) for name in PACKAGES},
    }
