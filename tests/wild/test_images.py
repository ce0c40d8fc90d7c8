"""Images as they are in the wild: other backgrounds, skulls, one file twice; verify and prepare see the same."""

from dataclasses import replace

import numpy as np
import pytest

from glioma_os.cohorts.brats import BratsCohort
from glioma_os.errors import DataError
from glioma_os.records import Modality
from glioma_os.volumes.background import without_background
from glioma_os.volumes.checks import check_case
from glioma_os.volumes.conventions import coding
from glioma_os.volumes.nifti import write_nifti
from glioma_os.volumes.prepare import Recipe, prepare_case

NAME = "BraTS20_Training_001"
ALL = tuple(modality.value for modality in Modality)


@pytest.fixture
def brain():
    """An ellipsoid of 1.2 litres in 4 mm voxels, which touches every face of its box."""
    grid = np.meshgrid(*(np.linspace(-1, 1, n) for n in (34, 42, 26)), indexing="ij")
    return sum(axis**2 for axis in grid) <= 1


@pytest.fixture
def tissue(brain):
    """Four sequences (D, H, W) float32 of random tissue, 0 outside the brain."""
    rng = np.random.default_rng(0)
    return {token: np.where(brain, rng.normal(400, 90, brain.shape), 0).astype(np.float32)
            for token in ("t1", "t1ce", "t2", "flair")}  # fmt: skip


AFFINE = np.diag([-4.0, -4.0, 4.0, 1.0])


def written(tmp_path, images, folder="case", seg=None):
    root = tmp_path / folder / NAME
    root.mkdir(parents=True)
    for token, image in images.items():
        write_nifti(root / f"{NAME}_{token}.nii.gz", image, AFFINE)
    if seg is not None:
        write_nifti(root / f"{NAME}_seg.nii.gz", seg, AFFINE)
    return BratsCohort(tmp_path / folder).cases()[0]


def errors(case):
    return [f for f in check_case(case, coding("brats2020"), tuple(Modality)) if f.level == "error"]


def prepared(case, label_coding=None):
    return prepare_case(case, Recipe(ALL, label_coding))


def z(one):
    image = (one.voxels - one.mean[:, None, None, None]) * one.inverse_sd[:, None, None, None]
    return np.where(one.voxels == 0, 0, image)


def field_z(image):
    """z-scored over the whole field of view, as RHUH-GBM ships its images."""
    return ((image - image.mean()) / image.std()).astype(np.float32)


@pytest.mark.parametrize(
    "spoil",
    [
        field_z,
        lambda image: image - 1024,
        lambda image: np.where(image == 0, 3000, image),
        lambda image: (image - 1024).round().astype(np.int16),
        lambda image: np.where(image == 0, 65535, image.round()).astype(np.uint16),
        lambda image: image / image.max() - 0.25,
    ],
)
def test_any_constant_background_is_found_and_the_tissue_is_the_same(tmp_path, tissue, spoil):
    plain = prepared(written(tmp_path, tissue))
    other = written(tmp_path, {token: spoil(image) for token, image in tissue.items()}, "spoiled")
    assert errors(other) == []
    found = prepared(other)
    assert np.array_equal(found.voxels == 0, plain.voxels == 0)
    assert np.abs(z(found) - z(plain)).max() < 0.01
    assert abs(z(found)[found.voxels != 0].std() - 1) < 1e-3


def test_tissue_of_value_zero_is_tissue_where_the_background_is_another_value(tmp_path, tissue, brain):
    image = np.where(brain, np.round(tissue["t1"] - 400), -5000).astype(np.float32)
    assert (image == 0).sum() > 20
    one = prepared(written(tmp_path, {**tissue, "t1": image}))
    assert np.array_equal((one.voxels != 0).sum((1, 2, 3)), np.full(4, brain.sum()))


def test_a_head_with_its_skull_is_refused_by_name_and_the_good_sequences_are_not_blamed(tmp_path, tissue):
    rng = np.random.default_rng(1)
    noise = rng.normal(20, 4, tissue["t1"].shape).astype(np.float32)
    case = written(tmp_path, {**tissue, "t2": tissue["t2"] + noise})
    assert [(f.where, "not skull-stripped" in f.problem) for f in errors(case)] == [(f"{NAME}_t2.nii.gz", True)]
    with pytest.raises(DataError, match="_t2.*not skull-stripped.*HD-BET"):
        prepared(case)


def test_a_head_in_thresholded_air_is_told_by_its_litres(tmp_path):
    grid = np.meshgrid(*(np.linspace(-1, 1, n) for n in (50, 60, 60)), indexing="ij")
    head = sum(axis**2 for axis in grid) <= 0.95
    images = {token: (head * np.random.default_rng(seed).integers(5, 900, head.shape)).astype(np.int16)
              for seed, token in enumerate(("t1", "t1ce", "t2", "flair"))}  # fmt: skip
    with pytest.raises(DataError, match=r"not skull-stripped: 5\.\d litres.*3 more errors"):
        prepared(written(tmp_path, images))


@pytest.mark.parametrize("fault", ["same file", "same content", "outside", "moved", "missing", "constant"])
def test_what_verify_calls_an_error_is_not_prepared(tmp_path, tissue, brain, fault):
    images, seg = dict(tissue), np.zeros(brain.shape, np.uint8)
    seg[14:20, 18:24, 10:14] = 4
    if fault == "same content":
        images["t2"] = images["t1"] * 3 + (images["t1"] != 0)
    if fault == "constant":
        images["t2"] = brain.astype(np.float32)
    if fault == "outside":
        seg = np.roll(seg * 0, 0)
        seg[:3, :3, :3] = 4
    case = written(tmp_path, images, seg=seg)
    if fault == "same file":
        case = replace(case, images={**case.images, Modality.T2: case.images[Modality.T1]})
    if fault == "missing":
        case.images[Modality.T2].unlink()
    if fault == "moved":
        write_nifti(case.images[Modality.T2], tissue["t2"], AFFINE + np.eye(4)[:, ::-1] * 8)
    found = errors(case)
    assert len(found) == 1
    with pytest.raises(DataError) as caught:
        prepared(case, "brats2020")
    assert caught.value.problem == found[0].problem


@pytest.mark.parametrize(("value", "dtype"), [(2**63 - 1, np.int64), (-(2**63), np.int64), (2**64 - 1, np.uint64)])
def test_whole_numbers_of_eight_bytes_are_moved_exactly(brain, value, dtype):
    image = np.random.default_rng(0).integers(1, 900, brain.shape).astype(dtype)
    image[~brain] = value
    found = without_background(image, AFFINE, "image")
    assert np.array_equal(found[brain] - found[brain].min(), (image[brain] - image[brain].min()).astype(np.int64))
    assert not found[~brain].any() and found[brain].min() == 1


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (-(2**31), np.int32), (-(10**8), np.int32),
        (-128, np.int8), (-1e6, np.float32), (1e9, np.float32), (-1e30, np.float32),
    ],
)  # fmt: skip
def test_a_background_far_away_costs_no_precision(tmp_path, tissue, brain, value, dtype):
    scale, span = (8, 120) if dtype == np.int8 else (1, 1000)
    whole = {token: np.where(brain, np.clip(image / scale, 1, span), 0).round() for token, image in tissue.items()}
    plain = prepared(written(tmp_path, {token: image.astype(np.int16) for token, image in whole.items()}))
    far = {}
    for token, image in whole.items():
        far[token] = image.astype(dtype)
        far[token][~brain] = value
    case = written(tmp_path, far, "far")
    assert errors(case) == []
    assert np.abs(z(prepared(case)) - z(plain)).max() < 2e-3
