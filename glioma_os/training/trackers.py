"""Where curves always go: a CSV in the run's folder."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers.logger import Logger, rank_zero_experiment
from lightning.pytorch.utilities import rank_zero_only

from glioma_os.errors import IntegrityError
from glioma_os.volumes.atomic import atomic_write

CURVES = "metrics.csv"


class CurveLogger(Logger):
    """One row a logged step in `metrics.csv`. A resumed fit keeps the rows before the step it resumes from, which
    Lightning's own CSV logger deletes."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.path = folder / CURVES
        self.rows: list[dict[str, float]] = []
        if self.path.exists():
            try:
                with self.path.open(newline="") as file:
                    self.rows = [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]
            except (ValueError, TypeError, csv.Error) as fault:
                raise IntegrityError(
                    self.path, f"unreadable ({fault})", f"Delete {folder} and run the same command again"
                ) from fault

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
        """Writes the file atomically."""
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
