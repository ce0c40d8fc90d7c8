"""The jobs of a sweep as observations: what each one was asked, and what came out of it, patient by patient."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from glioma_os.errors import DataError, IntegrityError
from glioma_os.fusion.contrasts import leading_row
from glioma_os.records import Array, Region
from glioma_os.reporting.result_files import DICE, PREDICTIONS, SCORES, read_dice, read_predictions, read_scores
from glioma_os.survival.bootstrap import METRICS, Sample, bootstrap_weights
from glioma_os.sweeps.compare import Factors, Observation
from glioma_os.sweeps.jobs import SWEEP

SEED = "seed"
SURVIVAL_METRICS = ("auc", "c_index")
REPLICATES = 2000


@dataclass(frozen=True)
class JobLine:
    """One job: what it was asked (`overrides`), how it ended, and its run directories by title."""

    number: int
    folder: Path
    overrides: dict[str, str]
    status: str
    seconds: float
    said: str
    runs: dict[str, Path]


def read_sweep(folder: Path) -> list[JobLine]:
    """The jobs of a sweep's folder."""
    try:
        listed: list[dict[str, Any]] = json.loads((folder / SWEEP).read_text())
        return [
            JobLine(
                job["number"], folder / job["folder"], dict(word.split("=", 1) for word in job["overrides"]),
                job["status"], job["seconds"], job["said"],
                {title: Path(run) for title, run in job.get("runs", {}).items()},
            )
            for job in listed
        ]  # fmt: skip
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as fault:
        raise IntegrityError(
            folder / SWEEP,
            f"unreadable ({fault})",
            "Delete it and run the sweep again: done jobs are kept",
        ) from fault


def as_jobs(runs: Sequence[Path]) -> list[JobLine]:
    """Run directories that no sweep made, as jobs that differ in their name."""
    return [
        JobLine(k, run, {"run": f"{run.parent.name}/{run.name}"}, "done", 0.0, "", {"run": run})
        for k, run in enumerate(runs)
    ]


def swept(jobs: Sequence[JobLine]) -> list[str]:
    """Names whose value differs among the jobs, the seed last if it does."""
    names = list(dict.fromkeys(name for job in jobs for name in job.overrides))
    found = [name for name in names if len({job.overrides.get(name) for job in jobs}) > 1]
    return [name for name in found if name != SEED] + [name for name in found if name == SEED]


def observations(jobs: Sequence[JobLine], replicates: int = REPLICATES) -> list[Observation]:
    """AUC, C-index and Dice of every done job, on the same bootstrap draws of the same patients."""
    names = [name for name in swept(jobs) if name != SEED]
    titled = len({title for job in jobs for title in _results(job)}) > 1
    out = []
    for job in (job for job in jobs if job.status == "done"):
        for title, folder in _results(job).items():
            factors: Factors = tuple((name, job.overrides.get(name, "default")) for name in names)
            factors += (("setting", title),) if titled else ()
            seed = job.overrides.get(SEED, "")
            if (folder / SCORES).exists():
                out += _of_survival(folder, factors, seed, replicates)
    out += _dice_of_jobs([job for job in jobs if job.status == "done"], names, replicates)
    if not out:
        raise DataError(
            "runs", "no scores and no Dice found → runs of survival, study or segment expected", "Give other runs"
        )
    return out


def _results(job: JobLine) -> dict[str, Path]:
    """Its runs with scores."""
    return {title: run for title, run in job.runs.items() if (run / SCORES).exists()}


def _of_survival(folder: Path, factors: Factors, seed: str, replicates: int) -> list[Observation]:
    frame = read_predictions(folder / PREDICTIONS)
    scores = read_scores(folder / SCORES)
    age_head, age_block = json.loads((folder / "summary.json").read_text())["age"]
    out = []
    for metric in SURVIVAL_METRICS:
        lines = {(line.head, line.block): line for line in scores if line.metric == metric}
        if lines:
            lead = leading_row(list(lines))
            values = _replicate(frame, *lead, metric, replicates)
            baseline = _replicate(frame, age_head, age_block, metric, replicates)
            out.append(Observation(factors, seed, metric, values, lines[lead].n, baseline))
    return out


def _replicate(frame: pd.DataFrame, head: str, block: str, metric: str, replicates: int) -> Array:
    """(1 + B,): the mean over repeats, patients drawn the same in each."""
    own = frame[(frame["head"] == head) & (frame["block"] == block)].sort_values(["repeat", "case_id"])
    columns = [name for name in own if str(name).startswith("p_class_")]
    found = []
    for _, rows in own.groupby("repeat"):
        sample = Sample(
            rows["time_days"].to_numpy(float), rows["event"].to_numpy() > 0, rows["risk"].to_numpy(float),
            rows["class"].to_numpy(int) if columns else None, rows[columns].to_numpy(float) if columns else None,
            strata=rows["fold"].to_numpy(),
        )  # fmt: skip
        found.append(METRICS[metric](sample, _draws(tuple(rows["patient_id"]), replicates)))
    return np.mean(found, axis=0)


@lru_cache(maxsize=64)
def _draws(patients: tuple[str, ...], replicates: int) -> Array:
    """(1 + B, rows): ones, then how often each row's patient is drawn; the same for the same patients."""
    unique, place = np.unique(patients, return_inverse=True)
    weights = np.vstack([np.ones((1, len(unique)), int), bootstrap_weights(len(unique), replicates, 0)])
    return weights[:, place]


def _dice_of_jobs(jobs: Sequence[JobLine], names: Sequence[str], replicates: int) -> list[Observation]:
    """Mean Dice of the cases that the jobs' segmenters held out. Jobs that share their segmenters, as those that
    differ in the head alone, are one observation; what merely identifies them is no factor."""
    sets = {job.number: tuple(dict.fromkeys(p for run in job.runs.values() for p in _segmenters(run))) for job in jobs}
    factor_names = [
        name
        for name in names
        if not any(
            sets[a.number] == sets[b.number] and a.overrides.get(name) != b.overrides.get(name)
            for a in jobs
            for b in jobs
        )
    ]
    out: list[Observation] = []
    seen: set[tuple[Path, ...]] = set()
    for job in jobs:
        own = sets[job.number]
        if own and own not in seen:
            seen.add(own)
            factors = tuple((name, job.overrides.get(name, "default")) for name in factor_names)
            out += _of_dice(own, factors, job.overrides.get(SEED, ""), replicates)
    return out


def _of_dice(segmenters: Sequence[Path], factors: Factors, seed: str, replicates: int) -> list[Observation]:
    rows = [row for folder in segmenters for row in read_dice(folder)]
    if not rows:
        return []
    rows.sort(key=lambda row: row["case_id"])
    draws = _draws(tuple(row["case_id"] for row in rows), replicates)
    out = []
    for region in Region:
        dice = np.array([float(row[f"dice_{region}"]) for row in rows])
        values = draws @ dice / draws.sum(axis=1)
        out.append(Observation(factors, seed, f"dice_{region}", values, len(rows)))
    return out


def _segmenters(run: Path) -> list[Path]:
    """The run itself where it is a segmenter, or those whose latents it used."""
    if (run / DICE).exists():
        return [run]
    key = json.loads((run / "key.json").read_text())["key"]
    source = key.get("features") if isinstance(key.get("features"), dict) else None
    ids = source.get("segmenters", {}).values() if source else []
    return [found for own in ids for found in sorted(run.parents[2].glob(f"*/*/{own}-s*"))]
