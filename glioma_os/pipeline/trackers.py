"""Where curves and finished runs are shown. A tracker answers two questions: which loggers a fit writes to, and what
becomes of a finished run's page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glioma_os.config.component import Component
from glioma_os.errors import EnvironmentFault
from glioma_os.training.progress import say
from glioma_os.training.run import Run

UNPUBLISHED = ".unpublished"  # in a run's folder from the start of its publication to its end


@dataclass(frozen=True)
class RunTitle:
    """What a dashboard shows beside a run's numbers: the arm it belongs to, its group, and the open settings."""

    arm: str
    group: str
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Tracker:
    """Curves go to `metrics.csv` in the run's folder whatever the tracker; a subclass adds what it is for."""

    project: str = "glioma_os"

    def loggers(self, title: RunTitle, run: Run) -> list[Any]:
        """Lightning loggers of a fit."""
        from glioma_os.training.trackers import CurveLogger

        return [CurveLogger(run.folder)]

    def publish(self, title: RunTitle, run: Run, page: Callable[[], Any], fresh: bool) -> None:
        """Shows a finished run; `page` draws it. Nothing by default."""

    def owes(self, runs: Path) -> bool:
        """Whether the publication of a run under `runs` failed."""
        return False


@dataclass(frozen=True)
class CsvTracker(Tracker):
    """CSV files alone."""


@dataclass(frozen=True)
class LightningTracker(Tracker):
    """Any of Lightning's loggers beside the CSV: `logger` names its class and its arguments."""

    logger: Mapping[str, Any] | None = None

    def loggers(self, title: RunTitle, run: Run) -> list[Any]:
        """A package that is not installed is an EnvironmentFault."""
        values = dict(self.logger or {})
        component = Component("logger.logger", str(values.pop("_target_", None)), values)
        try:
            return [*super().loggers(title, run), component.build(save_dir=str(run.folder))]
        except ModuleNotFoundError as fault:
            raise EnvironmentFault(
                "logger", f"a package of this logger is not installed ({fault.name or fault})", "pip install it"
            ) from fault


@dataclass(frozen=True)
class WandbTracker(Tracker):
    """Weights & Biases, offline unless WANDB_MODE=online is set: curves, and a page for every finished run."""

    def loggers(self, title: RunTitle, run: Run) -> list[Any]:
        """The dashboard's logger beside the CSV."""
        from glioma_os.training.wandb_runs import PrivateWandbLogger

        return [*super().loggers(title, run), PrivateWandbLogger(self._identity(title, run))]

    def publish(self, title: RunTitle, run: Run, page: Callable[[], Any], fresh: bool) -> None:
        """What is on the dashboard stays; a run whose publication failed before is published by the next call.

        A dashboard that cannot be written is reported in one line: results stand on disk already.
        """
        owed = run.path(UNPUBLISHED)
        if not (fresh or owed.exists()):
            return
        from glioma_os.training.wandb_runs import publish

        try:
            owed.touch()
            publish(self._identity(title, run), page())
            owed.unlink()
        except Exception as fault:
            say(f"wandb: {run.stage} {run.id} is not on the dashboard ({type(fault).__name__}); its results are on "
                "disk, and the same command publishes it again")  # fmt: skip

    def owes(self, runs: Path) -> bool:
        """A mark in a run's folder says so."""
        return any(runs.glob(f"*/*/*/{UNPUBLISHED}"))

    def _identity(self, title: RunTitle, run: Run) -> Any:
        from glioma_os.training.privacy import open_config
        from glioma_os.training.wandb_runs import Identity

        return Identity(
            run.id, f"{title.arm} {run.stage} {run.id[:6]}", title.group, run.stage, self.project, run.folder,
            open_config(title.settings),
        )  # fmt: skip
