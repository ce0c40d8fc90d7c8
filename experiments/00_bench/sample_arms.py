"""Training samples 4 × 128³ with their masks, a pass over the cases at a time: peers' loaders and ours, same files."""

import itertools
import os
from pathlib import Path

import numpy as np
import torchio as tio
from monai.data import CacheDataset, PersistentDataset
from monai.transforms import (
    Compose,
    EnsureChannelFirstd,
    LoadImaged,
    NormalizeIntensityd,
    RandFlipd,
    RandScaleIntensityd,
    RandShiftIntensityd,
    RandSpatialCropd,
)
from torch.utils.data import DataLoader

from glioma_os.cohorts.brats import BratsCohort
from glioma_os.data.augmentation import Augmentation
from glioma_os.data.patches import EpochSampler, PatchDataset, PatchLoader
from glioma_os.networks.fast.memory_retention import retain_freed_memory
from glioma_os.records import Modality
from glioma_os.volumes.prepare import Recipe
from glioma_os.volumes.store import VolumeStore

FOUR = tuple(m.value for m in Modality)
PATCH, CASES, LAPS = (128, 128, 128), 8, 8
KEYS = ["image", "label"]


def real_cases():
    """Full-size cases: real ones where they are, drawn ones elsewhere."""
    return BratsCohort(Path(os.environ["GLIOMA_OS_BENCH_CASES"]))


def stored_volumes(folder, count):
    cohort, store = real_cases(), VolumeStore(Path(folder) / "store")
    recipe = Recipe(FOUR, cohort.label_coding)
    return [store.open(store.prepare(case, recipe)) for case in cohort.cases()[:count]]


def _files():
    cases = real_cases().cases()[:CASES]
    return [{"image": [str(c.images[m]) for m in Modality], "label": str(c.label)} for c in cases]


def _drain(loader):
    for _ in loader:
        pass


def _bundle_transforms():
    return [
        LoadImaged(KEYS),
        EnsureChannelFirstd(KEYS),
        NormalizeIntensityd("image", nonzero=True, channel_wise=True),
        RandSpatialCropd(KEYS, PATCH, random_size=False),
        *[RandFlipd(KEYS, prob=0.5, spatial_axis=axis) for axis in range(3)],
        RandScaleIntensityd("image", 0.1, prob=1.0),
        RandShiftIntensityd("image", 0.1, prob=1.0),
    ]


def monai_plain():
    """One sample a call, files read anew."""
    transforms, files = Compose(_bundle_transforms()), itertools.cycle(_files())
    return lambda: transforms(next(files))


def monai_cache():
    """Everything before the first random transform in memory; two worker processes, kept between passes."""
    data = CacheDataset(_files(), Compose(_bundle_transforms()), progress=False)
    loader = DataLoader(data, 1, sampler=list(range(CASES)) * LAPS, num_workers=2, persistent_workers=True)
    return lambda: _drain(loader)


def monai_persistent(folder):
    """Everything before the first random transform on disk, as tensors that are read whole."""
    data = PersistentDataset(_files(), Compose(_bundle_transforms()), Path(folder) / "persistent")
    places = itertools.cycle(range(CASES))
    for place in range(CASES):
        data[place]
    return lambda: data[next(places)]


def torchio_queue():
    """Four patches a volume; flips, and TorchIO's masked z-scores."""
    transform = tio.Compose([tio.ZNormalization(masking_method=lambda x: x > 0), tio.RandomFlip(axes=(0, 1, 2))])
    subjects = [tio.Subject(image=tio.ScalarImage(f["image"]), label=tio.LabelMap(f["label"])) for f in _files()]
    data = tio.SubjectsDataset(subjects[: CASES * LAPS // 4], transform=transform)
    queue = tio.Queue(data, CASES * LAPS, 4, tio.UniformSampler(PATCH), num_workers=0)
    loader = tio.SubjectsLoader(queue, batch_size=1, num_workers=0)
    return lambda: _drain(loader)


def nnunet_crop(folder):
    """nnU-Net v2's stored cases (float32 z-scores in blosc2) cropped as its loader does, without its augmentation."""
    import torch
    from acvl_utils.cropping_and_padding.bounding_boxes import crop_and_pad_nd
    from nnunetv2.training.dataloading.nnunet_dataset import comp_blosc2_params, nnUNetDatasetBlosc2

    place = Path(folder) / "nnunet"
    place.mkdir()
    for volume in stored_volumes(folder, CASES):
        image, (_, whole, _) = volume.window((0, 0, 0), volume.shape, FOUR), volume.regions((0, 0, 0), volume.shape)
        blocks, chunks = comp_blosc2_params(image.shape, PATCH)
        labels = whole[None].astype(np.int16)
        nnUNetDatasetBlosc2.save_case(image, labels, {}, str(place / volume.case_id), chunks, blocks)
    data = nnUNetDatasetBlosc2(str(place))
    rng = np.random.default_rng(0)

    def arm():
        for name in sorted(data.identifiers) * LAPS:
            image, labels, *_ = data.load_case(name)
            spare = np.subtract(image.shape[1:], PATCH)
            corner = rng.integers(np.minimum(0, spare), np.maximum(0, spare) + 1)
            box = np.stack([corner, corner + PATCH], 1).tolist()
            torch.from_numpy(crop_and_pad_nd(image, box, 0)).float()
            torch.from_numpy(crop_and_pad_nd(labels, box, -1, cast_cropped_to=np.int16)).to(torch.int16)

    return arm


def ours(folder, count=CASES):
    """The loader that a fit uses."""
    retain_freed_memory()
    data = PatchDataset(stored_volumes(folder, count) * (CASES * LAPS // count), FOUR, PATCH, Augmentation(), 0, 0)
    loader = PatchLoader(data, EpochSampler(len(data), 0, 0), 1, False)
    return lambda: _drain(loader)


def ours_with_physics(folder):
    """Every sample with one of TorchIO's MR artefacts."""
    data = PatchDataset(stored_volumes(folder, CASES), FOUR, PATCH, Augmentation(physics=1.0), 0, 0)
    places = itertools.cycle(range(CASES))
    return lambda: data[next(places)]
