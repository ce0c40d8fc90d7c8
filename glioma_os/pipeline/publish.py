"""Finished runs as dashboard pages, under pseudonyms, each with the runs it was made from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from glioma_os.pipeline.workspace import Workspace
from glioma_os.reporting.result_files import PREDICTIONS, SCORES, dice_summary, read_dice, read_predictions, read_scores
from glioma_os.training.privacy import Pseudonyms
from glioma_os.training.run import WEIGHTS, Run
from glioma_os.volumes.atomic import sha256_file

SLICES_SHOWN = 24
PUBLISHED = ("auc", "accuracy", "f1_weighted", "c_index", "c_uno", "td_auc", "ibs", "brier", "spearman")


def publish_fit(workspace: Workspace, run: Run, parent: Run | None, fresh: bool) -> None:
    """Dice with intervals, slices with both masks, and the weights as an artefact that names its parent."""

    def page() -> Any:
        from glioma_os.pipeline.scoring import SLICES
        from glioma_os.training.wandb_runs import Artefact, Page, Slice

        name_of = Pseudonyms(workspace.root)
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

    workspace.tracker.publish(workspace.title, run, page, fresh)


def publish_survival(workspace: Workspace, run: Run, sources: Mapping[str, str], fresh: bool) -> None:
    """The leading configuration and age alone with intervals, predictions under pseudonyms, KM and calibration.

    `sources`: segmenters by title → run id, empty without any.
    """

    def page() -> Any:
        from glioma_os.reporting.predictions import survival_figures
        from glioma_os.reporting.tables import InputNames, lead_score
        from glioma_os.training.wandb_runs import Artefact, Page

        frame = read_predictions(run.path(PREDICTIONS))
        scores, summary = read_scores(run.path(SCORES)), run.read_json("summary.json")
        age, best = summary["age"], lead_score(scores)
        head, block = best.head, best.block
        numbers = {}
        for score in (s for s in scores if s.metric in PUBLISHED):
            if (score.head, score.block) == (head, block):
                numbers[score.metric] = (score.value, score.low, score.high)
                numbers[f"delta_{score.metric}"] = (score.delta_to_age, score.delta_low, score.delta_high)
            if [score.head, score.block] == age:
                numbers[f"age_{score.metric}"] = (score.value, score.low, score.high)
        svgs = survival_figures(frame, scores, best, age, InputNames.of(summary))
        made = Artefact(
            artefact_name(run), "predictions", sha256_file(run.path(PREDICTIONS)),
            tuple(f"finetune-{source}" for source in sources.values()),
        )  # fmt: skip
        table = {"predictions": _table(frame, head, block, Pseudonyms(workspace.root))}
        return Page(_bounded(numbers), table, svgs, (), made)

    workspace.tracker.publish(workspace.title, run, page, fresh)


def publish_report(workspace: Workspace, run: Run, survival: Mapping[str, Run], fresh: bool) -> None:
    """The report's digest and what it was made from; the page itself shows case ids and stays here."""

    def page() -> Any:
        from glioma_os.training.wandb_runs import Artefact, Page

        parents = tuple(artefact_name(found) for found in survival.values())
        return Page(artefact=Artefact(artefact_name(run), "report", sha256_file(run.path("report.html")), parents))

    workspace.tracker.publish(workspace.title, run, page, fresh)


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
