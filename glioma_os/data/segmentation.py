"""What the BraTS and the hospital DataModules share: stored volumes of named patients, as training patches."""

from __future__ import annotations

from collections.abc import Sequence

import lightning.pytorch as pl
import torch
from torch.utils.data import DataLoader

from glioma_os.cohorts.cohort import Cohort
from glioma_os.data.augmentation import Augmentation
from glioma_os.data.patches import LEAST, EpochSampler, PatchDataset, PatchLoader, whole_patch
from glioma_os.data.prepared import PreparedCohort
from glioma_os.errors import ConfigError, DataError
from glioma_os.records import Modality, SegmentationBatch
from glioma_os.volumes.prepare import Recipe
from glioma_os.volumes.store import StoredVolume, VolumeStore


class SegmentationDataModule(pl.LightningDataModule):
    """Cases of a cohort, prepared once into the store; `train_patients` are fitted on, `test_patients`
    are the ones it must not meet.

    `channels`: the modalities, in the network's order. `patch`: (D, H, W) multiples of `divisor`, or None for the
    whole brain box (of the largest case if `batch_size` is above 1).
    """

    def __init__(
        self, cohort: Cohort, store: VolumeStore, channels: Sequence[str], train_patients: Sequence[str] = (),
        test_patients: Sequence[str] = (), spacing_mm: float | None = None, patch: Sequence[int] | None = None,
        batch_size: int = 1, workers: int = 0, divisor: int = 8, augmentation: Augmentation | None = None,
        seed: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        if batch_size < 1 or workers < 0:
            raise ConfigError(
                "schedule.batch_size",
                f"{batch_size}, workers {workers} found → ≥ 1, ≥ 0 expected",
                "Correct the values",
            )
        if patch is not None and (len(patch) != 3 or any(size < divisor or size % divisor for size in patch)):
            raise ConfigError(
                "schedule.patch", f"{list(patch)} found → three multiples of {divisor} expected", "Correct the value"
            )
        if patch is not None and patch[0] < LEAST * divisor:
            raise ConfigError(
                "schedule.patch[0]", f"{patch[0]} found → {LEAST * divisor} or more expected", "Raise the value"
            )
        self.channels = tuple(Modality(name).value for name in channels)
        self.train_patients, self.test_patients = frozenset(train_patients), frozenset(test_patients)
        shared = self.train_patients & self.test_patients
        if shared:
            raise DataError(
                "patients",
                f"{len(shared)} patients found in both training and test set → none expected",
                "Split by patient",
            )
        self.prepared = PreparedCohort(cohort, store, Recipe(self.channels, cohort.label_coding, spacing_mm))
        self.patch, self.batch_size, self.workers, self.divisor = patch, batch_size, workers, divisor
        self.augmentation, self.seed = augmentation or Augmentation(), seed

    def prepare_data(self) -> None:
        """Fills the store; safe to call from many processes."""
        for case in self.prepared.waiting():
            self.prepared.store.prepare(case, self.prepared.recipe)

    def train_dataloader(self) -> PatchLoader | DataLoader:
        """Patches of this epoch: order, place and augmentation follow from (seed, epoch), so it resumes exactly."""
        epoch = self.trainer.current_epoch if self.trainer else 0
        volumes = self.training_volumes()
        patch = None
        if self.patch is not None:
            d, h, w = self.patch
            patch = (d, h, w)
        elif self.batch_size > 1:
            patch = whole_patch(volumes, self.divisor)
        dataset = PatchDataset(volumes, self.channels, patch, self.augmentation, self.seed, epoch, self.divisor)
        rank, world = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        sampler = EpochSampler(len(dataset), self.seed, epoch, rank, world)
        drop_last = len(dataset) >= self.batch_size * world
        # TorchIO draws from torch's global generator, which the training thread needs for itself.
        if self.workers or self.augmentation.physics:
            return DataLoader(dataset, self.batch_size, sampler=sampler, num_workers=self.workers, drop_last=drop_last)
        return PatchLoader(dataset, sampler, self.batch_size, drop_last)

    def training_volumes(self) -> list[StoredVolume]:
        """The stored volumes with masks of the training patients; none at all is a DataError."""
        return self.prepared.labelled(self.train_patients)

    def transfer_batch_to_device(self, batch: SegmentationBatch, device: torch.device, index: int) -> SegmentationBatch:
        """Moves the tensors; names stay."""
        return batch._replace(image=batch.image.to(device), regions=batch.regions.to(device))
