"""Weights & Biases, used in this file alone: live curves of a fit, and finished runs as dashboard pages."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import wandb
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_only

from glioma_os.training.privacy import open_metrics

# Nothing of the machine, the code, the console or the file system.
SETTINGS: dict[str, Any] = {
    "console": "off", "disable_git": True, "disable_code": True, "save_code": False, "silent": True,
    "x_disable_meta": True, "x_disable_stats": True, "x_disable_machine_info": True, "x_save_requirements": False,
    "x_service_wait": 120.0,  # seconds for its process to start: 30 are too few on a machine with more jobs than cores
}  # fmt: skip
REGIONS = {1: "rest of whole tumour", 2: "rest of core", 3: "enhancing"}


@dataclass(frozen=True)
class Identity:
    """Which dashboard run: `id` is the run directory's, `group` the sweep's name, `job_type` the stage."""

    id: str
    name: str
    group: str
    job_type: str
    project: str
    folder: Path
    config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Slice:
    """`planes` (3, H, W) uint8: image, predicted and reference region bits (TC 1, WT 2, ET 4)."""

    caption: str
    planes: np.ndarray


@dataclass(frozen=True)
class Artefact:
    """A file that other runs start from. `parents`: names of the artefacts it was made from; `path` None = the file
    stays here and only its digest is sent."""

    name: str
    type: str
    sha256: str
    parents: tuple[str, ...]
    path: Path | None = None


@dataclass(frozen=True)
class Page:
    """What a finished run shows: summary numbers, tables (columns, rows), figures as SVG, slices, and its artefact."""

    summary: Mapping[str, float] = field(default_factory=dict)
    tables: Mapping[str, tuple[Sequence[str], Sequence[Sequence[Any]]]] = field(default_factory=dict)
    figures: Mapping[str, str] = field(default_factory=dict)
    slices: Sequence[Slice] = ()
    artefact: Artefact | None = None


class PrivateWandbLogger(WandbLogger):
    """Lightning's logger behind the allow-lists; a resumed fit continues the same dashboard run."""

    def __init__(self, who: Identity) -> None:
        os.environ.setdefault("WANDB_MODE", "offline")
        super().__init__(
            name=who.name, id=who.id, project=who.project, save_dir=who.folder, log_model=False, group=who.group,
            job_type=who.job_type, resume="allow", config=dict(who.config), settings=wandb.Settings(**SETTINGS),
        )  # fmt: skip

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Allowed names and finite numbers only."""
        super().log_metrics(open_metrics(metrics), step)

    @rank_zero_only
    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """The configuration was given at the start."""


def publish(who: Identity, page: Page) -> None:
    """Adds the page to the dashboard run, which the fit may have left open, and closes it."""
    os.environ.setdefault("WANDB_MODE", "offline")
    run = wandb.run
    if run is None or run.id != who.id:
        close(who.folder)
        run = wandb.init(
            id=who.id, name=who.name, project=who.project, dir=who.folder, group=who.group, job_type=who.job_type,
            resume="allow", config=dict(who.config), settings=wandb.Settings(**SETTINGS),
        )  # fmt: skip
    content: dict[str, Any] = dict(open_metrics(page.summary))
    content |= {name: wandb.Table(list(c), [list(row) for row in rows]) for name, (c, rows) in page.tables.items()}
    content |= {name: wandb.Html(svg, inject=False) for name, svg in page.figures.items()}
    if page.slices:
        content["slices"] = [_image(one) for one in page.slices]
    if content:
        run.log(content)
    if page.artefact is not None:
        _log_artefact(run, page.artefact, who.folder)
    close(who.folder)


def _image(one: Slice) -> wandb.Image:
    image, predicted, reference = one.planes
    masks = {
        name: {"mask_data": _classes(bits), "class_labels": REGIONS}
        for name, bits in (("predicted", predicted), ("reference", reference))
    }
    return wandb.Image(np.rot90(image), caption=one.caption, masks=masks)


def _classes(bits: np.ndarray) -> np.ndarray:
    """Nested regions as one label map."""
    labels = np.where(bits & 2, 1, 0)
    labels = np.where(bits & 1, 2, labels)
    return np.rot90(np.where(bits & 4, 3, labels)).astype(np.uint8)


def _log_artefact(run: Any, artefact: Artefact, folder: Path) -> None:
    """The lineage stands in the artefact's metadata and in its lineage.json: offline, wandb itself keeps none."""
    lineage = {"name": artefact.name, "sha256": artefact.sha256, "parents": list(artefact.parents)}
    made = wandb.Artifact(artefact.name, artefact.type, metadata=lineage)
    with made.new_file("lineage.json") as file:
        json.dump(lineage, file)
    if artefact.path is not None:
        made.add_file(str(artefact.path), name=artefact.path.name, skip_cache=True)
    run.config.update({"lineage": lineage}, allow_val_change=True)
    if not run.settings._offline:
        for parent in artefact.parents:
            run.use_artifact(f"{parent}:latest")
    run.log_artifact(made)


def close(folder: Path) -> None:
    """Ends the open run, and removes wandb's own debug logs of this folder: they name paths."""
    wandb.finish()
    for place in (folder / "wandb", *(folder / "wandb").glob("*run-*")):
        shutil.rmtree(place / "logs", ignore_errors=True)
        for log in place.glob("debug*.log"):
            log.unlink()
