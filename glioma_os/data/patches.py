"""Training patches and whole volumes read from the store; every draw follows from (seed, epoch, place)."""

from __future__ import annotations

import math
import weakref
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from torch.utils.data import BatchSampler, Dataset, Sampler

from glioma_os.data.augmentation import Augmentation
from glioma_os.fast import is_plain
from glioma_os.records import Array, SegmentationBatch
from glioma_os.seeds import derive_seed
from glioma_os.volumes.store import StoredVolume

# torch 2.13's bfloat16 gradient of a 3³ convolution on a processor reads memory that was never written where the first
# size is 2, as it is at some level of a network for patches of 1 or 2 divisors.
LEAST = 3
READERS = 2  # threads, a batch each


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

    def size(self, place: int) -> tuple[int, int, int]:
        """(D, H, W) of this place's sample."""
        return self.patch or whole_patch([self.volumes[place]], self.divisor)

    def read(self, place: int, image: Array, regions: Array) -> None:
        """The sample into `image` (C, D, H, W) float32 and `regions` (3, D, H, W) uint8."""
        volume = self.volumes[place]
        seed = derive_seed(self.seed, self.epoch, place)
        rng = np.random.default_rng(seed)
        corner = tuple(
            int(rng.integers(min(0, size - extent), max(0, size - extent) + 1))
            for size, extent in zip(volume.shape, image.shape[1:], strict=True)
        )
        self.augmentation(volume, corner, self.channels, derive_seed(seed, 1), image, regions)

    def __getitem__(self, place: int) -> SegmentationBatch:
        image = np.empty((len(self.channels), *self.size(place)), np.float32)
        regions = np.empty((3, *image.shape[1:]), np.uint8)
        self.read(place, image, regions)
        return SegmentationBatch(torch.from_numpy(image), torch.from_numpy(regions), self.volumes[place].case_id)


class Buffers:
    """Memory of batches that nobody holds any more, for the next ones of their size."""

    def __init__(self) -> None:
        self._spare: list[Array] = []

    def empty(self, count: int, channels: int, size: tuple[int, int, int]) -> tuple[Array, Array]:
        """Uninitialised images (count, channels, *size) float32 and regions (count, 3, *size) uint8."""
        voxels = count * math.prod(size)
        if is_plain():
            return np.empty((count, channels, *size), np.float32), np.empty((count, 3, *size), np.uint8)
        try:
            block = self._spare.pop()
        except IndexError:  # asked for, not tested: another thread may take the last one in between
            block = np.empty(0, np.uint8)
        if len(block) != voxels * (4 * channels + 3):
            block = np.empty(voxels * (4 * channels + 3), np.uint8)
        held = np.frombuffer(block.data, np.uint8)  # numpy takes views of `block` for its own, not for `held`'s
        weakref.finalize(held, self._spare.append, block).atexit = False
        image, regions = np.split(held, [4 * channels * voxels])
        return image.view(np.float32).reshape(count, channels, *size), regions.reshape(count, 3, *size)


class PatchLoader:
    """Batches of an epoch, the next ones read by threads while this one is trained on.

    Threads, not processes: reading is short, and handing a batch between processes costs more than reading it.
    """

    def __init__(self, dataset: PatchDataset, sampler: Sampler[int], batch_size: int, drop_last: bool) -> None:
        self.dataset, self.batches = dataset, BatchSampler(sampler, batch_size, drop_last)
        self._buffers = Buffers()

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[SegmentationBatch]:
        torch.get_num_threads()  # settles this thread's number: the next line is about those that read alone
        with ThreadPoolExecutor(READERS, "patches", torch.set_num_threads, (1,)) as threads:
            ahead: deque[Future[SegmentationBatch]] = deque()
            for places in self.batches:
                ahead.append(threads.submit(self._batch, places))
                if len(ahead) == READERS:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()

    def _batch(self, places: list[int]) -> SegmentationBatch:
        (size,) = {self.dataset.size(place) for place in places}  # of different sizes they make no batch
        image, regions = self._buffers.empty(len(places), len(self.dataset.channels), size)
        for row, place in enumerate(places):
            self.dataset.read(place, image[row], regions[row])
        names = [self.dataset.volumes[place].case_id for place in places]
        return SegmentationBatch(torch.from_numpy(image), torch.from_numpy(regions), names)


class EpochSampler(Sampler[int]):
    """The permutation of (seed, epoch): a resumed run continues in the order it would have had.

    With several processes each takes every `world`-th place from its own on, all equally many.
    """

    def __init__(self, size: int, seed: int, epoch: int, rank: int = 0, world: int = 1) -> None:
        self.size, self.seed, self.epoch, self.rank, self.world = size, seed, epoch, rank, world

    def __len__(self) -> int:
        return self.size // self.world

    def __iter__(self) -> Iterator[int]:
        order = np.random.default_rng(derive_seed(self.seed, self.epoch, 2**31)).permutation(self.size)
        return iter(order[self.rank :: self.world][: len(self)].tolist())
