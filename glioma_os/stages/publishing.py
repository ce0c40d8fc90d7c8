"""Finished runs as dashboard pages, under pseudonyms, each with the runs it was made from."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from omegaconf import DictConfig, OmegaConf

from glioma_os.errors import ConfigError, EnvironmentFault
from glioma_os.reporting.result_files import PREDICTIONS, SCORES, dice_summary, read_dice, read_predictions, read_scores
from glioma_os.stages.build import build, plain_groups
from glioma_os.stages.setting import Setting
from glioma_os.training.privacy import Pseudonyms, open_config
from glioma_os.training.progress import say
from glioma_os.training.run import WEIGHTS, Run
from glioma_os.volumes.atomic import sha256_file

KINDS = ("csv", "wandb", "lightning")
SLICES_SHOWN = 24
UNPUBLISHED = ".unpublished"  # in a run's folder from the start of its publication to its end
PUBLISHED = ("auc", "accuracy", "f1_weighted", "c_index", "c_uno", "td_auc", "ibs", "brier", "spearman")


def loggers_of(setting: Setting, run: Run) -> list[Any]:
    """CSV always; `logger.kind` wandb: a dashboard run too; lightning: whatever `logger.logger` names."""
    from glioma_os.training.trackers import CurveLogger

    kind, found = setting.cfg.logger.kind, [CurveLogger(run.folder)]
    if kind not in KINDS:
        raise ConfigError("logger.kind", f"{kind!r} found → one of {list(KINDS)} expected", "Correct the key")
    if kind == "wandb":
        from glioma_os.training.wandb_runs import PrivateWandbLogger

        return [*found, PrivateWandbLogger(_identity(setting, run))]
    if kind == "lightning":
        try:
            return [*found, build(setting.cfg.logger.logger, "logger.logger", save_dir=str(run.folder))]
        except ModuleNotFoundError as fault:
            raise EnvironmentFault(
                "logger", f"a package of this logger is not installed ({fault.name or fault})", "pip install it"
            ) from fault
    return list(found)


def _identity(setting: Setting, run: Run) -> Any:
    from glioma_os.training.wandb_runs import Identity

    cfg = without_paths(setting.cfg)
    title = str(cfg.setting) if setting.name == setting.cfg.setting else setting.name
    return Identity(
        run.id, f"{title} {run.stage} {run.id[:6]}", str(cfg.name), run.stage, str(cfg.logger.project), run.folder,
        open_config(plain_groups(cfg, ("hydra",))),
    )  # fmt: skip


def without_paths(cfg: DictConfig) -> DictConfig:
    """The configuration as if every path were blank: `paths` alone holds values of the environment, and other keys
    may quote them."""
    bare = copy.deepcopy(cfg)
    OmegaConf.set_readonly(bare, False)
    bare.paths = dict.fromkeys(cfg.paths, "")
    return bare


def _publish(setting: Setting, run: Run, page: Callable[[], Any], fresh: bool) -> None:
    """What is on the dashboard stays; a run whose publication failed before is published by the next call.

    A dashboard that cannot be written is told in one line: results stand on disk already.
    """
    owed = run.path(UNPUBLISHED)
    if setting.cfg.logger.kind != "wandb" or not (fresh or owed.exists()):
        return
    from glioma_os.training.wandb_runs import publish

    try:
        owed.touch()
        publish(_identity(setting, run), page())
        owed.unlink()
    except Exception as fault:
        say(f"wandb: {run.stage} {run.id} is not on the dashboard ({type(fault).__name__}); its results are on disk, "
            "and the same command publishes it again")  # fmt: skip


def publication_owed(setting: Setting) -> bool:
    """Whether the publication of any run failed."""
    waiting = Path(setting.cfg.paths.runs).glob(f"*/*/*/{UNPUBLISHED}")
    return setting.cfg.logger.kind == "wandb" and any(waiting)


def publish_fit(setting: Setting, run: Run, parent: Run | None, fresh: bool) -> None:
    """Dice with intervals, slices with both masks, and the weights as an artefact that names its parent."""

    def page() -> Any:
        from glioma_os.stages.scoring import SLICES
        from glioma_os.training.wandb_runs import Artefact, Page, Slice

        name_of = Pseudonyms(Path(setting.cfg.paths.root))
        rows, slices = read_dice(run.folder), []
        summary = _bounded({f"dice_{k}": v[:3] for k, v in dice_summary(rows, run.seed).items()}) if rows else {}
        if run.path(SLICES).exists():
            with np.load(run.path(SLICES), allow_pickle=False) as file:
                slices = [Slice(name_of(name), file[name]) for name in sorted(file.files)[:SLICES_SHOWN]]
        table = {"dice": (["case", *(f"dice_{r}" for r in ("tc", "wt", "et"))],
                          [[name_of(r["case_id"]), *(float(r[f"dice_{k}"]) for k in ("tc", "wt", "et"))]
                           for r in rows])} if rows else {}  # fmt: skip
        parents = (artefact_name(parent),) if parent else ()
        weights = run.path(WEIGHTS)
        made = Artefact(artefact_name(run), "model", sha256_file(weights), parents, weights)
        return Page(summary, table, {}, slices, made)

    _publish(setting, run, page, fresh)


def publish_survival(setting: Setting, run: Run, sources: Mapping[str, str], fresh: bool) -> None:
    """The leading configuration and age alone with intervals, predictions under pseudonyms, KM and calibration.

    `sources`: segmenters by title → run id, empty without any.
    """

    def page() -> Any:
        from glioma_os.reporting.predictions import survival_figures
        from glioma_os.reporting.tables import InputNames, lead_score
        from glioma_os.training.wandb_runs import Artefact, Page

        frame = read_predictions(run.path(PREDICTIONS))
        scores, told = read_scores(run.path(SCORES)), run.read_json("summary.json")
        age, best = told["age"], lead_score(scores)
        head, block = best.head, best.block
        numbers = {}
        for score in (s for s in scores if s.metric in PUBLISHED):
            if (score.head, score.block) == (head, block):
                numbers[score.metric] = (score.value, score.low, score.high)
                numbers[f"delta_{score.metric}"] = (score.delta_to_age, score.delta_low, score.delta_high)
            if [score.head, score.block] == age:
                numbers[f"age_{score.metric}"] = (score.value, score.low, score.high)
        svgs = survival_figures(frame, scores, best, age, InputNames.of(told))
        made = Artefact(
            artefact_name(run), "predictions", sha256_file(run.path(PREDICTIONS)),
            tuple(f"finetune-{source}" for source in sources.values()),
        )  # fmt: skip
        table = {"predictions": _table(frame, head, block, Pseudonyms(Path(setting.cfg.paths.root)))}
        return Page(_bounded(numbers), table, svgs, (), made)

    _publish(setting, run, page, fresh)


def publish_report(setting: Setting, run: Run, survival: Mapping[str, Run], fresh: bool) -> None:
    """The report's digest and what it was made from; the page itself shows case ids and stays here."""

    def page() -> Any:
        from glioma_os.training.wandb_runs import Artefact, Page

        parents = tuple(artefact_name(found) for found in survival.values())
        return Page(artefact=Artefact(artefact_name(run), "report", sha256_file(run.path("report.html")), parents))

    _publish(setting, run, page, fresh)


def artefact_name(run: Run) -> str:
    """How a run's artefact is called."""
    return f"{run.stage}-{run.id}"


def _bounded(numbers: Mapping[str, tuple[float, ...]]) -> dict[str, float]:
    return {
        f"test/{name}{suffix}": value
        for name, bounds in numbers.items()
        for suffix, value in zip(("", "_low", "_high"), bounds, strict=True)
    }


def _table(frame: pd.DataFrame, head: str, block: str, name_of: Pseudonyms) -> tuple[list[str], list[list[Any]]]:
    """Rows of one configuration; days are kept, ids are not."""
    own = frame[(frame["head"] == head) & (frame["block"] == block)]
    columns = [c for c in own.columns if c not in ("head", "block", "case_id", "patient_id")]
    rows = [
        [name_of(case), *(value.item() if hasattr(value, "item") else value for value in values)]
        for case, values in zip(own["case_id"], own[columns].itertuples(index=False), strict=True)
    ]
    return ["case", *columns], rows
