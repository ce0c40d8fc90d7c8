"""Where curves go: a CSV in the run's folder always, Weights & Biases too if asked. The one file that knows wandb."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers.logger import Logger, rank_zero_experiment
from lightning.pytorch.utilities import rank_zero_only

from glioma_os.errors import ConfigError
from glioma_os.volumes.atomic import atomic_write

CURVES = "metrics.csv"


class CurveLogger(Logger):
    """One row a logged step in `metrics.csv`. A resumed fit keeps the rows before the step it goes on from, which
    Lightning's own CSV logger deletes."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.path = folder / CURVES
        self.rows: list[dict[str, float]] = []
        if self.path.exists():
            with self.path.open(newline="") as file:
                self.rows = [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]

    @property
    def name(self) -> str:
        """Not shown anywhere."""
        return "curves"

    @property
    def version(self) -> str:
        """A run has one."""
        return ""

    @property
    @rank_zero_experiment
    def experiment(self) -> CurveLogger:
        """Itself."""
        return self

    @rank_zero_only
    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """The run's key.json has them."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Adds a row; rows from this step on, which a killed fit left, are replaced."""
        at = float(step or 0)
        self.rows = [row for row in self.rows if row["step"] < at or row.keys() - {"step"} != metrics.keys()]
        self.rows.append({"step": at, **{name: float(value) for name, value in metrics.items()}})

    @rank_zero_only
    def save(self) -> None:
        """Writes the file whole."""
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        atomic_write(self.path, text.getvalue().encode())

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Writes what is left."""
        self.save()


def build_loggers(kind: str, folder: Path, name: str, group: str, job_type: str, project: str) -> list[Logger]:
    """CSV; with kind `wandb` a run in `group` besides, offline unless WANDB_MODE=online is set by the user.

    Nothing of the machine, the code, the console or the file system is recorded there.
    """
    loggers: list[Logger] = [CurveLogger(folder)]
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
