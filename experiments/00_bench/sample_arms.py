"""One training sample 4 × 128³ with its masks: peers' loaders and ours, on the same cases."""

import itertools
from pathlib import Path

import torchio as tio
from monai.data import CacheDataset
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
from network_arms import real_cases

from glioma_os.data.augmentation import Augmentation
from glioma_os.data.patches import PatchDataset
from glioma_os.records import Modality
from glioma_os.volumes.prepare import Recipe
from glioma_os.volumes.store import VolumeStore

FOUR = tuple(m.value for m in Modality)
PATCH, CASES = (128, 128, 128), 4
KEYS = ["image", "label"]


def _files():
    cases = real_cases().cases()[:CASES]
    return [{"image": [str(c.images[m]) for m in Modality], "label": str(c.label)} for c in cases]


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


def monai_plain(folder):
    transforms, files = Compose(_bundle_transforms()), itertools.cycle(_files())
    return lambda: transforms(next(files))


def monai_cache(folder):
    """Everything before the first random transform is kept in memory."""
    data = CacheDataset(_files(), Compose(_bundle_transforms()), progress=False)
    places = itertools.cycle(range(CASES))
    return lambda: data[next(places)]


def torchio_queue(folder):
    """Subjects kept in memory, normalised; a uniform sampler's patch, with the queue's own transforms."""
    transform = tio.Compose([tio.ZNormalization(masking_method=lambda x: x > 0), tio.RandomFlip(axes=(0, 1, 2))])
    subjects = [
        tio.Subject(image=tio.ScalarImage(files["image"]), label=tio.LabelMap(files["label"])) for files in _files()
    ]
    for subject in subjects:
        subject.load()
    places, sampler = itertools.cycle(range(CASES)), tio.UniformSampler(PATCH)
    return lambda: next(iter(sampler(transform(subjects[next(places)]), 1)))


def ours(folder):
    cohort = real_cases()
    store = VolumeStore(Path(folder) / "store")
    recipe = Recipe(FOUR, cohort.label_coding)
    volumes = [store.open(store.prepare(case, recipe)) for case in cohort.cases()[:CASES]]
    data, places = PatchDataset(volumes, FOUR, PATCH, Augmentation(), 0, 0), itertools.cycle(range(CASES))
    return lambda: data[next(places)]
