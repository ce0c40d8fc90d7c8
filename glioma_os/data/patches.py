"""Training patches and whole volumes read from the store; every draw follows from (seed, epoch, place)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from torch.utils.data import BatchSampler, Dataset, Sampler, default_collate

from glioma_os.data.augmentation import Augmentation
from glioma_os.records import SegmentationBatch
from glioma_os.seeds import derive_seed
from glioma_os.volumes.store import StoredVolume

# torch 2.13's bfloat16 gradient of a 3³ convolution on a processor reads memory that was never written where the first
# size is 2, as it is at some level of a network for patches of 1 or 2 divisors.
LEAST = 3
AHEAD = 2  # batches read beside training


def whole_patch(volumes: Sequence[StoredVolume], divisor: int) -> tuple[int, int, int]:
    """The smallest patch (multiples of `divisor`, the first at least LEAST of them) that holds every brain box."""
    largest = np.max([volume.shape for volume in volumes], axis=0)
    d, h, w = (int(-(-size // divisor) * divisor) for size in largest)
    return max(d, LEAST * divisor), h, w


class PatchDataset(Dataset):
    """One random patch per stored case and epoch, padded with background where the box is smaller.

    `patch` None: each case's own brain box in multiples of `divisor`, as inference sees it.
    """

    def __init__(
        self, volumes: Sequence[StoredVolume], channels: tuple[str, ...], patch: tuple[int, int, int] | None,
        augmentation: Augmentation, seed: int, epoch: int, divisor: int = 8,
    ) -> None:  # fmt: skip
        self.volumes, self.channels, self.patch, self.divisor = volumes, channels, patch, divisor
        self.augmentation, self.seed, self.epoch = augmentation, seed, epoch

    def __len__(self) -> int:
        return len(self.volumes)

    def __getitem__(self, place: int) -> SegmentationBatch:
        volume = self.volumes[place]
        seed = derive_seed(self.seed, self.epoch, place)
        rng = np.random.default_rng(seed)
        patch = self.patch or whole_patch([volume], self.divisor)
        corner = tuple(
            int(rng.integers(min(0, size - extent), max(0, size - extent) + 1))
            for size, extent in zip(volume.shape, patch, strict=True)
        )
        image, regions = self.augmentation(volume, corner, patch, self.channels, derive_seed(seed, 1))
        return SegmentationBatch(image, regions, volume.case_id)


class PatchLoader:
    """Batches of an epoch, the next two read by a thread each while this one is trained on.

    Threads, not processes: reading is short, and handing a batch between processes costs more than reading it.
    """

    def __init__(self, dataset: PatchDataset, sampler: Sampler[int], batch_size: int, drop_last: bool) -> None:
        self.dataset, self.batches = dataset, BatchSampler(sampler, batch_size, drop_last)

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[SegmentationBatch]:
        torch.get_num_threads()  # settles this thread's number: the next line is about those that read alone
        with ThreadPoolExecutor(AHEAD, "patches", torch.set_num_threads, (1,)) as threads:
            ahead: deque[Future[SegmentationBatch]] = deque()
            for places in self.batches:
                ahead.append(threads.submit(self._batch, places))
                if len(ahead) > AHEAD:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()

    def _batch(self, places: list[int]) -> SegmentationBatch:
        samples = [self.dataset[place] for place in places]
        if len(samples) == 1:  # a view, not a copy
            return SegmentationBatch(samples[0].image[None], samples[0].regions[None], [str(samples[0].case_id)])
        return default_collate(samples)


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
