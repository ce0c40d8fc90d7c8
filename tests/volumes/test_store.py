import json
from concurrent.futures import ProcessPoolExecutor

import nibabel as nib
import numpy as np
import pytest
from monai.transforms import Compose, Flip, NormalizeIntensity, ScaleIntensity, ShiftIntensity

from glioma_os.cohorts.brats import BratsCohort
from glioma_os.errors import ConfigError, DataError, IntegrityError
from glioma_os.records import Modality
from glioma_os.volumes import window
from glioma_os.volumes.native import to_native
from glioma_os.volumes.nifti import read_nifti, write_nifti
from glioma_os.volumes.prepare import Recipe, brain_box, prepare_case, resample
from glioma_os.volumes.store import VolumeStore
from glioma_os.volumes.window import WindowView

NAME = "BraTS20_Training_001"
FOUR = tuple(m.value for m in Modality)
RECIPE = Recipe(FOUR, "brats2020")


@pytest.fixture
def case(tmp_path, write_case, four_images):
    write_case(f"data/{NAME}", four_images())
    return BratsCohort(tmp_path / "data").cases()[0]


@pytest.fixture
def store(tmp_path):
    return VolumeStore(tmp_path / "store")


def test_z_scores_are_monais_and_windows_are_the_volume(case, store):
    stored = store.open(store.prepare(case, RECIPE))
    theirs = NormalizeIntensity(nonzero=True, channel_wise=True)(
        np.stack([read_nifti(case.images[Modality(m)]).data.astype(np.float32) for m in FOUR])
    )
    ours = stored.volume(FOUR)
    assert ours.image.shape == (4, 8, 10, 6)  # the brain box
    assert np.allclose(ours.image, np.asarray(theirs)[:, 2:-2, 2:-2, 2:-2], atol=1e-5)
    shown = stored.window((-2, 3, 1), (6, 6, 4), FOUR[:2])
    assert not shown[:, :2].any()
    assert np.array_equal(shown[:, 2:], ours.image[:2, :4, 3:9, 1:5])
    assert np.array_equal(stored.regions((0, 0, 0), stored.shape).astype(bool), ours.regions)
    beyond = stored.window((100, 0, 0), (2, 2, 2), FOUR)
    assert not beyond.any()


@pytest.mark.parametrize("flips", [(False, False, True), (True, True, False), (True, True, True)], ids=str)
def test_a_look_is_what_monai_makes_of_the_window(case, store, flips, monkeypatch):
    monkeypatch.setattr(window, "_SLAB", 4)  # 9 planes: two slabs and a rest
    stored = store.open(store.prepare(case, RECIPE))
    axes = [axis for axis in range(3) if flips[axis]]
    theirs = Compose([Flip(axes), ScaleIntensity(None, None, factor=-0.07), ShiftIntensity(0.04, safe=False)])
    corner, size, view = (-1, 2, 0), (9, 9, 5), WindowView(flips, 1 - 0.07, 0.04)
    expected = np.asarray(theirs(stored.window(corner, size, FOUR)))
    assert np.allclose(stored.window(corner, size, FOUR, view), expected, atol=1e-6)
    masks = np.asarray(Flip(axes)(stored.regions(corner, size)))
    assert np.array_equal(stored.regions(corner, size, view), masks) and masks.any()


def test_channels_come_in_the_order_asked_for(case, store):
    stored = store.open(store.prepare(case, RECIPE))
    both = stored.window((0, 0, 0), stored.shape, ("flair", "t1c"))
    assert np.array_equal(both[0], stored.window((0, 0, 0), stored.shape, FOUR)[3])
    assert np.array_equal(both[1], stored.window((0, 0, 0), stored.shape, FOUR)[0])


def test_a_changed_source_or_recipe_gives_another_entry(case, store, affine):
    first = store.prepare(case, RECIPE)
    assert store.prepare(case, RECIPE) == first and store.holds(case, RECIPE)
    assert store.prepare(case, Recipe(FOUR[:2], "brats2020")) != first
    data = read_nifti(case.images[Modality.T2]).data.copy()
    data[5, 5, 5] += 1
    write_nifti(case.images[Modality.T2], data, affine)
    assert not store.holds(case, RECIPE)
    assert store.prepare(case, RECIPE) != first


def test_spacing_and_label_coding_alone_give_another_entry(case, store):
    """Of the same files: were the recipe no part of the key, the entry on disk would be taken for the one asked for."""
    recipes = [RECIPE, Recipe(FOUR, "brats2020", 2.0), Recipe(FOUR, "brats2018"), Recipe(FOUR, None)]
    keys = []
    for recipe in recipes:
        assert not store.holds(case, recipe)
        keys.append(store.prepare(case, recipe))
    assert len(set(keys)) == 4
    assert store.open(keys[1]).shape != store.open(keys[0]).shape and store.open(keys[3]).region_bits is None


def test_the_brain_box_holds_what_half_of_the_sequences_show_and_the_mask():
    voxels = np.zeros((4, 9, 9, 9), np.int16)
    voxels[:, 3:6, 3:6, 3:6] = 5
    tight = (slice(3, 6),) * 3
    assert brain_box(voxels, None) == tight
    voxels[0, 0, 8, 4] = 1  # a stray voxel of one sequence
    assert brain_box(voxels, None) == tight
    voxels[1:3, 3:6, 3:6, 7] = 5  # shown by two of four
    assert brain_box(voxels, None) == (slice(3, 6), slice(3, 6), slice(3, 8))
    voxels[1:, 3, 3, 3] = 0  # one sequence lacks what the others show, or is the only one: the box stays
    label = np.zeros((9, 9, 9), np.uint8)
    label[1, 4, 4] = 2
    assert brain_box(voxels, label) == (slice(1, 6), slice(3, 6), slice(3, 8))


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b + b"x", lambda b: b[:6]])
def test_a_damaged_entry_is_named(case, store, damage):
    path = store.path(store.prepare(case, RECIPE))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(IntegrityError, match="stage=prepare"):
        store.open(path.stem)


def test_many_writers_agree(case, store):
    with ProcessPoolExecutor(3) as pool:
        keys = list(pool.map(store.prepare, [case] * 6, [RECIPE] * 6))
    assert len(set(keys)) == 1
    assert store.open(keys[0]).case_id == NAME
    assert not list(store.root.rglob("*.tmp"))


def test_entries_hold_plain_data_only(case, store):
    raw = store.path(store.prepare(case, RECIPE)).read_bytes()
    header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    assert set(header) == {"__metadata__", "voxels", "region_bits"}


def test_any_orientation_gives_the_same_entry(tmp_path, case, store, four_images, affine):
    """A case stored right-anterior-superior is prepared to the very voxels of its left-posterior-superior twin."""
    turned = affine @ np.diag([-1, -1, 1, 1])
    turned[:3, 3] += affine[:3, :3] @ [11, 13, 0]
    folder = tmp_path / "ras" / NAME
    folder.mkdir(parents=True)
    for token, array in four_images().items():
        write_nifti(folder / f"{NAME}_{token}.nii.gz", array[::-1, ::-1], turned)
    twin = BratsCohort(tmp_path / "ras").cases()[0]
    a, b = prepare_case(case, RECIPE), prepare_case(twin, RECIPE)
    assert np.array_equal(a.voxels, b.voxels) and np.array_equal(a.region_bits, b.region_bits)
    assert np.allclose(a.affine, b.affine)


def test_predictions_return_to_the_native_grid(tmp_path, case, store, four_images):
    for spacing in (None, 2.0):
        stored = store.open(store.prepare(case, Recipe(FOUR, "brats2020", spacing)))
        ones = np.ones((3, *stored.shape), np.float32)
        native = to_native(ones, stored)
        assert native.shape == (3, *stored.native_shape)
        inside = np.zeros(stored.native_shape, bool)
        inside[3:-3, 3:-3, 3:-3] = True
        assert np.allclose(native[:, inside], 1)
    stored = store.open(store.prepare(case, RECIPE))
    truth = four_images()["seg"] > 0
    assert np.array_equal(to_native(stored.regions((0, 0, 0), stored.shape), stored)[1] > 0.5, truth)


def test_whole_factors_are_block_means_placed_right():
    ramp = np.arange(8, dtype=np.float32)[:, None, None] * np.ones((8, 4, 4), np.float32)
    out = resample(ramp, np.array([2.0, 2.0, 2.0]))
    assert out.shape == (4, 2, 2) and np.allclose(out[:, 0, 0], [0.5, 2.5, 4.5, 6.5])
    finer = resample(ramp, np.array([0.5, 1.0, 1.0]))
    assert finer.shape == (16, 4, 4) and np.allclose(finer[2:-2, 0, 0], np.arange(16)[2:-2] * 0.5 - 0.25)


CHANGES = {
    "float": lambda x: x * np.float32(0.0031),
    "float below 0": lambda x: x * np.float32(0.0031) - 4 * (x != 0),
    "int16 below 0": lambda x: x - np.int16(600) * (x != 0),
    "int16, all of it": lambda x: np.select([x == x.max(), x == x[x > 0].min()], [32767, -32768], x).astype(np.int16),
    "int32": lambda x: x.astype(np.int32) * 1000,
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_sources_of_any_range_keep_their_z_scores_and_background(tmp_path, affine, four_images, store, change):
    folder = tmp_path / "f" / NAME
    folder.mkdir(parents=True)
    for token, array in four_images().items():
        write_nifti(folder / f"{NAME}_{token}.nii.gz", array if token == "seg" else change(array), affine)
    case = BratsCohort(tmp_path / "f").cases()[0]
    stored = store.open(store.prepare(case, RECIPE))
    source = read_nifti(case.images[Modality.T1C]).data
    theirs = np.asarray(NormalizeIntensity(nonzero=True)(source.astype(np.float64)))[2:-2, 2:-2, 2:-2]
    assert stored.voxels.min() >= 0
    shown = stored.window((-1, 0, 0), (9, 10, 6), ("t1c",), WindowView((True, False, True), 1.0, 0.5))[0, ::-1, :, ::-1]
    assert np.allclose(shown[1:], theirs + 0.5, atol=1e-3) and np.all(shown[0] == 0.5)
    assert np.array_equal(shown[1:] == 0.5, source[2:-2, 2:-2, 2:-2] == 0)


def test_missing_and_constant_images_are_named(case, store, affine):
    lacking = type(case)(case.case_id, case.patient_id, "x", None, {Modality.T1: case.images[Modality.T1]}, None)
    with pytest.raises(DataError, match="no t1c image"):
        store.prepare(lacking, RECIPE)
    write_nifti(case.images[Modality.T1], np.zeros((12, 14, 10), np.int16), affine)
    with pytest.raises(DataError, match="_t1.nii.gz.*of the same value"):
        store.prepare(case, RECIPE)
    assert not list(store.root.rglob("*.safetensors"))
    with pytest.raises(ConfigError, match="spacing"):
        Recipe(FOUR, None, 0.0)


def test_a_real_case_at_2_mm_matches_its_published_twin(real_data, store):
    """brats2020_2mm was pooled from the same scans: our 2 mm grid lies on its."""
    fine = BratsCohort(real_data / "brats2018", limit=["Brats18_2013_11_1"]).cases()[0]
    stored = store.open(store.prepare(fine, Recipe(FOUR, "brats2018", 2.0)))
    twin = nib.load(next((real_data / "brats2020_2mm").glob("*147/*_t1.nii.gz")))
    corner = np.linalg.inv(twin.affine) @ stored.affine
    assert np.allclose(corner[:3, :3], np.eye(3), atol=1e-6)
    assert np.allclose(corner[:3, 3], np.round(corner[:3, 3]), atol=1e-6)
    at = tuple(slice(round(o), round(o) + n) for o, n in zip(corner[:3, 3], stored.shape, strict=True))
    theirs = np.asarray(twin.dataobj)[at]
    assert np.corrcoef(theirs.ravel(), stored.voxels[1].ravel())[0, 1] > 0.999
