"""stage=sync: dashboard runs recorded offline, listed, and sent when asked."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from omegaconf import DictConfig

from glioma_os.errors import EnvironmentFault
from glioma_os.training.progress import say


def main(cfg: DictConfig) -> None:
    """Lists what is waiting; `sync.send=true` sends it, in order of time, with the user's own wandb account."""
    waiting = sorted(
        (
            folder
            for folder in Path(cfg.paths.runs).glob("*/*/*/wandb/offline-run-*")
            if not list(folder.glob("*.synced"))
        ),
        key=lambda folder: folder.name,
    )
    for folder in waiting:
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        say(f"{folder}  {size / 1e6:.1f} MB")
    if not cfg.sync.send or not waiting:
        say(f"{len(waiting)} dashboard runs are waiting" + ("; sync.send=true sends them" if waiting else ""))
        return
    if not os.environ.get("WANDB_API_KEY") and not (Path.home() / ".netrc").exists():
        raise EnvironmentFault("sync", "no wandb account found", "wandb login, or set WANDB_API_KEY")
    command = [sys.executable, "-m", "wandb", "sync", "--yes", *map(str, waiting)]
    if subprocess.run(command, check=False).returncode:
        raise EnvironmentFault("sync", "wandb did not take all of it", "Read what it said above; run sync again")
    say(f"{len(waiting)} dashboard runs sent")
