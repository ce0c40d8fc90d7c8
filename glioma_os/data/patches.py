"""Training patches and whole volumes read from the store; every draw follows from (seed, epoch, place)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from glioma_os.data.augmentation import Augmentation
from glioma_os.records import SegmentationBatch
from glioma_os.seeds import derive_seed
from glioma_os.volumes.store import StoredVolume


def whole_patch(volumes: Sequence[StoredVolume], divisor: int) -> tuple[int, int, int]:
    """The smallest patch (multiples of `divisor`) that holds every brain box."""
    largest = np.max([volume.shape for volume in volumes], axis=0)
    d, h, w = (int(-(-size // divisor) * divisor) for size in largest)
    return d, h, w


class PatchDataset(Dataset):
    """One random patch per stored case and epoch, padded with background where the box is smaller."""

    def __init__(
        self, volumes: Sequence[StoredVolume], channels: tuple[str, ...], patch: tuple[int, int, int],
        augmentation: Augmentation, seed: int, epoch: int,
    ) -> None:  # fmt: skip
        self.volumes, self.channels, self.patch = volumes, channels, patch
        self.augmentation, self.seed, self.epoch = augmentation, seed, epoch

    def __len__(self) -> int:
        return len(self.volumes)

    def __getitem__(self, place: int) -> SegmentationBatch:
        volume = self.volumes[place]
        seed = derive_seed(self.seed, self.epoch, place)
        rng = np.random.default_rng(seed)
        corner = tuple(
            int(rng.integers(min(0, size - extent), max(0, size - extent) + 1))
            for size, extent in zip(volume.shape, self.patch, strict=True)
        )
        image = torch.from_numpy(volume.window(corner, self.patch, self.channels))
        regions = torch.from_numpy(volume.regions(corner, self.patch))
        image, regions = self.augmentation(image, regions, derive_seed(seed, 1))
        return SegmentationBatch(image, regions, volume.case_id)


class VolumeDataset(Dataset):
    """Whole brain boxes, unlabelled ones included; sizes differ, so the batch size is one."""

    def __init__(self, volumes: Sequence[StoredVolume], channels: tuple[str, ...]) -> None:
        self.volumes, self.channels = volumes, channels

    def __len__(self) -> int:
        return len(self.volumes)

    def __getitem__(self, place: int) -> SegmentationBatch:
        volume = self.volumes[place]
        image = torch.from_numpy(volume.window((0, 0, 0), volume.shape, self.channels))
        if volume.region_bits is None:
            regions = torch.zeros((0, *volume.shape), dtype=torch.uint8)
        else:
            regions = torch.from_numpy(volume.regions((0, 0, 0), volume.shape))
        return SegmentationBatch(image, regions, volume.case_id)


class EpochSampler(Sampler[int]):
    """The permutation of (seed, epoch): a resumed run goes on with the order it would have had.

    With several processes each takes every `world`-th place from its own on, all equally many.
    """

    def __init__(self, size: int, seed: int, epoch: int, rank: int = 0, world: int = 1) -> None:
        self.size, self.seed, self.epoch, self.rank, self.world = size, seed, epoch, rank, world

    def __len__(self) -> int:
        return self.size // self.world

    def __iter__(self) -> Iterator[int]:
        order = np.random.default_rng(derive_seed(self.seed, self.epoch, 2**31)).permutation(self.size)
        return iter(order[self.rank :: self.world][: len(self)].tolist())
