"""Latents of any cohort through any segmenter: one vector a case, stamped with whom the encoder was trained on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from glioma_os.cohorts.cohort import Cohort
from glioma_os.cohorts.exposure import Exposure
from glioma_os.data.features import read_features, write_features
from glioma_os.pipeline.segmenter import Segmenter
from glioma_os.pipeline.step import Step
from glioma_os.pipeline.workspace import Workspace
from glioma_os.records import FeatureTable
from glioma_os.training.options import TrainerOptions
from glioma_os.training.progress import track
from glioma_os.training.run import Run
from glioma_os.volumes.store import StoredVolume

TABLE = "latents.npz"


@dataclass(frozen=True)
class Encode(Step):
    """Pooled encoder maps of these prepared volumes. `exposure`: the cohort's patients that the encoder has seen."""

    stage: ClassVar[str] = "latents"
    version: ClassVar[int] = 11
    guards: ClassVar[tuple[str, ...]] = ("glioma_os.networks", "glioma_os.volumes.store", "glioma_os.volumes.window",
                                         "glioma_os.pipeline.encode")  # fmt: skip
    segmenter: Segmenter
    pooling: str
    volumes: tuple[str, ...]
    precision: str
    exposure: Exposure
    trainer: TrainerOptions = field(compare=False)
    opened: tuple[StoredVolume, ...] = field(compare=False)
    title: str = field(compare=False)

    def work(self, workspace: Workspace, run: Run) -> None:
        """Writes latents.npz and its provenance."""
        for volume in self.opened:
            workspace.store.open(volume.key, whole=True)
        values = self._encode()
        names = tuple(f"latent_{place:04d}" for place in range(values.shape[1]))
        provenance = {"segmenter": self.segmenter.run.id, "pooling": self.pooling, **self.exposure._asdict()}
        ids = tuple(volume.case_id for volume in self.opened)
        write_features(FeatureTable(ids, names, ("latents",) * len(names), values, provenance), run.path(TABLE))

    def _encode(self) -> np.ndarray:
        import torch

        from glioma_os.networks.inference import latents

        network = self.segmenter.load(self.trainer)
        rows = []
        for volume in track(self.opened, len(self.opened), self.title):
            image = torch.from_numpy(volume.window((0, 0, 0), volume.shape, self.segmenter.channels))[None]
            with self.trainer.autocast():
                rows.append(latents(network, image.to(self.trainer.device()), self.pooling)[0])
        return torch.stack(rows).float().cpu().numpy()


def encode(
    workspace: Workspace, segmenter: Segmenter, cohort: Cohort, spacing_mm: float | None, pooling: str,
    exposed: Exposure, trainer: TrainerOptions, seed: int, title: str,
) -> FeatureTable:  # fmt: skip
    """Latents of every case of a cohort, of now or of an earlier call."""
    volumes = tuple(workspace.prepared(cohort, segmenter.channels, spacing_mm).volumes())
    step = Encode(
        seed, segmenter, pooling, tuple(volume.key for volume in volumes), str(trainer.resolved_precision()), exposed,
        trainer, volumes, title,
    )  # fmt: skip
    return read_features(step.run(workspace).path(TABLE))
