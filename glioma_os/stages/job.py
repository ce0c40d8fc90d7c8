"""A job of a sweep: what it depends on, and what it leaves for those that compare jobs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from glioma_os.config.component import plain
from glioma_os.pipeline.step import describe
from glioma_os.pipeline.study import code_digest, fingerprints
from glioma_os.reporting.result_files import SCORES, mean_dice, read_dice, read_scores
from glioma_os.reporting.tables import lead_score
from glioma_os.stages.assemble import arm_of, arms_of, stage_of, workspace_of
from glioma_os.sweeps.jobs import RESULT
from glioma_os.training.run import digest
from glioma_os.volumes.atomic import atomic_write

OF_ALL_ARMS = ("study", "report")  # the other stages run the configuration itself


def job_key(cfg: DictConfig, overrides: Sequence[str]) -> str:
    """Digest of what a job depends on: configuration, cohorts' files, and the package's own code."""
    stage, workspace = stage_of(cfg), workspace_of(cfg)
    arms = arms_of(cfg, overrides) if stage in OF_ALL_ARMS else {str(cfg.setting): cfg}
    built = [arm_of(own, name) for name, own in arms.items()]
    parts = [[describe(arm, defaults=False), fingerprints(workspace, arm)] for arm in built]
    return digest([stage, parts, without_folders(cfg), code_digest()])


def without_folders(cfg: DictConfig) -> dict[str, Any]:
    """The configuration but for where things are kept and shown."""
    return {str(key): plain(cfg[key]) if OmegaConf.is_config(cfg[key]) else cfg[key]
            for key in cfg if key not in ("stage", "paths", "logger", "hydra", "sweep")}  # fmt: skip


def leave_result(cfg: DictConfig, overrides: Sequence[str], runs: Mapping[str, Path]) -> None:
    """`result.json` in the job's folder: its key, its runs, and the number that a search looks at."""
    result = {
        "key": job_key(cfg, overrides),
        "runs": {title: str(folder.resolve()) for title, folder in runs.items()},
        "objective": objective(runs),
    }
    atomic_write(Path(cfg.paths.job) / RESULT, json.dumps(result, indent=1).encode())


def objective(runs: Mapping[str, Path]) -> float | None:
    """Mean headline number (AUC or C-index) of the runs that have scores, else their mean Dice; None without either."""
    found = []
    for folder in runs.values():
        if (folder / SCORES).exists():
            found.append(lead_score(read_scores(folder / SCORES)).value)
    if not found:
        found = [mean_dice(rows) for folder in runs.values() if (rows := read_dice(folder))]
    return sum(found) / len(found) if found else None
