"""stage=collect: the jobs of a sweep, or any run directories → one table, the effect of each factor, one page."""

from __future__ import annotations

import glob
import time
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig

from glioma_os.config.component import plain
from glioma_os.errors import ConfigError, IntegrityError
from glioma_os.reporting.report import write_report
from glioma_os.sweeps.collect import JobLine, as_jobs, observations, read_sweep
from glioma_os.sweeps.compare import Cell, Effect, cells, effects
from glioma_os.sweeps.jobs import SWEEP
from glioma_os.sweeps.report import NAMES, cell_table, effect_table, sweep_page
from glioma_os.training.progress import say
from glioma_os.training.run import DONE, check_finished
from glioma_os.volumes.atomic import atomic_write, sweep_drafts

CELLS, EFFECTS, REPORT = "cells.csv", "effects.csv", "report.html"


def jobs_of(cfg: DictConfig) -> tuple[str, Path, list[JobLine]]:
    """Title, folder for the tables, and the jobs that `runs` names: a sweep (folder or name), or run directories."""
    asked = plain(cfg.runs) if cfg.runs is not None and not isinstance(cfg.runs, str) else cfg.runs
    if not asked:
        raise ConfigError("runs", "none given → a sweep's folder or name, or run directories expected", "Set runs=…")
    words: Sequence[str] = [asked] if isinstance(asked, str) else [str(word) for word in asked]
    if len(words) == 1:
        for folder in (Path(words[0]), Path(cfg.paths.runs) / "sweep" / words[0]):
            if (folder / SWEEP).exists():
                return f"Sweep {folder.resolve().name}", folder, read_sweep(folder)
    found = sorted({Path(path) for word in words for path in glob.glob(word) if (Path(path) / DONE).exists()})
    if not found:
        raise ConfigError(
            "runs", f"{asked} found → no sweep and no finished run there", "Name the folder the sweep printed"
        )
    return f"{len(found)} runs", Path(cfg.paths.runs) / "collect" / str(cfg.name), as_jobs(found)


def say_tables(table: Sequence[Cell], found: Sequence[Effect]) -> None:
    """Effects and the best combinations, on the terminal."""
    for metric in dict.fromkeys(cell.metric for cell in table):
        own = [cell for cell in table if cell.metric == metric]
        say(f"{NAMES[metric]}: {len(own)} combinations, n = {own[0].n}")
        for effect in (effect for effect in found if effect.metric == metric):
            say(
                f"  {effect.factor}: {effect.level} − {effect.reference}  {effect.value:+.3f} "
                f"[{effect.low:+.3f}, {effect.high:+.3f}]  {effect.pairs} pairs, p (Holm) {effect.p_holm:.3f}"
            )
        for cell in own[:3]:
            words = ", ".join(f"{name}={level}" for name, level in cell.factors) or "all"
            age = "" if cell.delta_to_age != cell.delta_to_age else f"  Δ age {cell.delta_to_age:+.3f}"
            say(f"    {cell.value:.3f} [{cell.low:.3f}, {cell.high:.3f}]{age}  {words}")


def main(cfg: DictConfig) -> None:
    """Writes cells.csv, effects.csv and report.html beside the jobs, and prints where."""
    title, folder, jobs = jobs_of(cfg)
    sweep_drafts(folder)
    for run in (run for job in jobs if job.status == "done" for run in job.runs.values()):
        if check_finished(run, whole=True) is None:
            raise IntegrityError(run, "no finished run found → the one that the job left", "Run the sweep again")
    seen = observations(jobs, int(cfg.validation.replicates))
    table = cells(seen)
    found = effects(seen) if (folder / SWEEP).exists() else []  # single runs may differ in more than their names say
    atomic_write(folder / CELLS, cell_table(table))
    atomic_write(folder / EFFECTS, effect_table(found))
    created = time.strftime("%Y-%m-%d")
    write_report(folder / REPORT, sweep_page(title, jobs, table, found, folder, created))
    say_tables(table, found)
    print(folder / REPORT)
