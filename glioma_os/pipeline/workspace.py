"""Where a command keeps its runs and volumes, and what it has opened there: the same for every step."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from glioma_os.cohorts.cohort import Cohort
from glioma_os.cohorts.overlap import shared_scans
from glioma_os.config.component import Component
from glioma_os.data.prepared import PreparedCohort
from glioma_os.pipeline.trackers import RunTitle, Tracker
from glioma_os.training.progress import track
from glioma_os.training.run import Run, digest
from glioma_os.volumes.atomic import sweep_drafts
from glioma_os.volumes.checks import refuse_errors
from glioma_os.volumes.prepare import Recipe
from glioma_os.volumes.store import VolumeStore


@dataclass(frozen=True)
class Workspace:
    """Folders of one command, and the name that its runs are kept under.

    `root` holds the key of the pseudonyms. `tracker` names the class that shows curves and finished runs, under `arm`
    and with the settings in `dashboard`. `whole`: compare every byte of the runs that are read. `job`: the folder of a
    sweep's job, None outside a sweep. `cache`: what was read or built once, shared by the arms of a study.
    """

    runs: Path
    store_folder: Path
    root: Path
    name: str
    tracker_component: Component
    arm: str = ""
    dashboard: Mapping[str, Any] = field(default_factory=dict)
    whole: bool = False
    job: Path | None = None
    cache: dict[str, Any] = field(default_factory=dict, compare=False)

    def run(self, stage: str, key: dict[str, Any], seed: int) -> Run:
        """The run directory of what `key` says."""
        return Run(self.runs, stage, self.name, key, seed, self.whole)

    @cached_property
    def store(self) -> VolumeStore:
        """Prepared volumes."""
        return VolumeStore(self.store_folder)

    @cached_property
    def tracker(self) -> Tracker:
        """Where curves and finished runs are shown."""
        return self.tracker_component.build()

    @property
    def title(self) -> RunTitle:
        """What a dashboard shows beside a run of this workspace."""
        return RunTitle(self.arm, str(self.dashboard.get("name", self.name)), self.dashboard)

    def cohort(self, component: Component) -> Cohort:
        """The cohort, built once; one whose class takes `progress` says how far it is."""
        key = digest(["cohort", component.target, dict(component.values)])
        if key not in self.cache:
            takes = inspect.signature(component.load()).parameters
            self.cache[key] = component.build(**({"progress": track} if "progress" in takes else {}))
        return self.cache[key]

    def prepared(self, cohort: Cohort, channels: tuple[str, ...], spacing_mm: float | None) -> PreparedCohort:
        """That cohort in the store, prepared under a progress bar where there is something to do."""
        recipe = Recipe(channels, cohort.label_coding, spacing_mm)
        found = PreparedCohort(cohort, self.store, recipe)
        waiting = found.waiting()
        if waiting:
            refuse_errors(shared_scans(cohort))
            sweep_drafts(self.store.root)
            for case in track(waiting, len(waiting), f"Preparing {cohort.name}"):
                self.store.prepare(case, recipe)
        return found
