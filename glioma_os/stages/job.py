"""A job of a sweep: what it depends on, and what it leaves for those that compare jobs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from omegaconf import DictConfig

import glioma_os
from glioma_os.reporting.result_files import SCORES, mean_dice, read_dice, read_scores
from glioma_os.reporting.tables import lead_score
from glioma_os.stages.setting import Setting, settings_of, study_key
from glioma_os.sweeps.jobs import RESULT
from glioma_os.training.run import digest
from glioma_os.volumes.atomic import atomic_write

OF_ALL_SETTINGS = ("study.main", "report.main")  # the other stages run the configuration itself


@cache
def _code() -> str:
    """Digest of the package's source: after a change of it no job counts as done."""
    folder = Path(glioma_os.__file__).parent
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        total.update(path.read_bytes())
    return total.hexdigest()[:12]


def job_key(cfg: DictConfig, overrides: Sequence[str]) -> str:
    """Digest of what a job depends on: configuration, cohorts' files, and the package's own code."""
    stage = str(cfg.stage._target_)
    whole = stage.endswith(OF_ALL_SETTINGS)
    settings = settings_of(cfg, overrides) if whole else [Setting(cfg, str(cfg.setting))]
    return digest([stage, study_key(cfg, settings), int(cfg.seed), _code()])


def leave_result(cfg: DictConfig, overrides: Sequence[str], runs: Mapping[str, Path]) -> None:
    """`result.json` in the job's folder: its key, its runs, and the number that a search looks at."""
    told = {
        "key": job_key(cfg, overrides),
        "runs": {title: str(folder.resolve()) for title, folder in runs.items()},
        "objective": objective(runs),
    }
    atomic_write(Path(cfg.paths.job) / RESULT, json.dumps(told, indent=1).encode())


def objective(runs: Mapping[str, Path]) -> float | None:
    """Mean headline number (AUC or C-index) of the runs that have scores, else their mean Dice; None without either."""
    found = []
    for folder in runs.values():
        if (folder / SCORES).exists():
            found.append(lead_score(read_scores(folder / SCORES)).value)
    if not found:
        found = [mean_dice(rows) for folder in runs.values() if (rows := read_dice(folder))]
    return sum(found) / len(found) if found else None
