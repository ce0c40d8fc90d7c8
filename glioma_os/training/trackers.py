"""Where curves go: a CSV in the run's folder always, Weights & Biases too if asked. The one file that knows wandb."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import CSVLogger, Logger

from glioma_os.errors import ConfigError


def build_loggers(kind: str, folder: Path, name: str, group: str, job_type: str, project: str) -> list[Logger]:
    """CSV; with kind `wandb` a run in `group` besides, offline unless WANDB_MODE=online is set by the user.

    Nothing of the machine, the code, the console or the file system is recorded there.
    """
    loggers: list[Logger] = [CSVLogger(folder, name="", version="")]
    if kind == "csv":
        return loggers
    if kind != "wandb":
        raise ConfigError("logger.kind", f"{kind!r} found → csv or wandb expected", "Correct the key")
    import wandb
    from lightning.pytorch.loggers import WandbLogger

    settings: dict[str, Any] = {
        "console": "off", "disable_git": True, "disable_code": True, "save_code": False, "silent": True,
        "x_disable_meta": True, "x_disable_stats": True, "x_disable_machine_info": True, "x_save_requirements": False,
    }  # fmt: skip
    os.environ.setdefault("WANDB_MODE", "offline")
    loggers.append(
        WandbLogger(
            name=name, project=project, save_dir=folder, log_model=False, group=group, job_type=job_type,
            settings=wandb.Settings(**settings),
        )
    )  # fmt: skip
    return loggers
