"""A result that changed since it was written is found, by name."""

import json
import os

import numpy as np
import pytest

from glioma_os.errors import IntegrityError
from glioma_os.fusion.storage import ARRAYS, STRUCTURE
from glioma_os.records import Case, Modality
from glioma_os.training.run import DONE, Run, check_finished
from glioma_os.volumes import manifest
from glioma_os.volumes.nifti import write_nifti
from glioma_os.volumes.prepare import Recipe
from glioma_os.volumes.store import VolumeStore

NAMES = ("scores.csv", "predictions.csv", "summary.json", "folds.json", "patients.json", "weights.safetensors",
         "latents.npz", "report.html", f"pipeline/{ARRAYS}", f"pipeline/{STRUCTURE}", "key.json")  # fmt: skip


@pytest.fixture
def run(tmp_path):
    run = Run(tmp_path, "survival", "name", {"a": 1}, 3)
    with run.writing():
        run.path("pipeline").mkdir()
        for name in NAMES[:-1]:
            run.path(name).write_bytes(os.urandom(500))
        (run.folder / "wandb").mkdir()
        (run.folder / "wandb" / "log").write_text("x")
    return run


def flip(path, keep_time=False):
    status, data = path.stat(), bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    if keep_time:
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def whole(run):
    return Run(run.root, run.stage, run.name, run.key, run.seed, whole=True)


def test_the_manifest_lists_every_result_and_no_tracker(run):
    files = json.loads(run.path(DONE).read_text())[manifest.FILES]
    assert set(files) == set(NAMES)
    assert run.done and whole(run).done


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("damage", ["flip", "cut", "remove", "append", "empty"])
def test_a_changed_file_is_named(run, name, damage):
    path = run.path(name)
    {"flip": lambda: flip(path), "cut": lambda: os.truncate(path, path.stat().st_size // 2), "remove": path.unlink,
     "append": lambda: path.write_bytes(path.read_bytes() + b"x"),
     "empty": lambda: path.write_bytes(b"")}[damage]()  # fmt: skip
    with pytest.raises(IntegrityError, match=f"{path}.*(delete|stage=report)"):
        _ = run.done
    with pytest.raises(IntegrityError), run.writing():
        pass
    with pytest.raises(IntegrityError):
        check_finished(run.folder, whole=False)


def test_a_change_that_keeps_size_and_time_is_found_where_all_is_read(run):
    flip(run.path("scores.csv"), keep_time=True)
    assert run.done
    with pytest.raises(IntegrityError, match=r"scores\.csv: changed"):
        _ = whole(run).done


def test_a_copied_run_without_its_times_is_sound(run):
    for name in NAMES:
        os.utime(run.path(name))
    assert run.done and whole(run).done


@pytest.mark.parametrize("text", ["", "{", "garbage", "[]", "3", '{"files": 3}', '{"files": {"a": 1}}', "\x00\xff"])
def test_a_damaged_manifest_is_never_done(run, text):
    run.path(DONE).write_text(text)
    with pytest.raises(IntegrityError, match="DONE|manifest|expected"):
        _ = run.done


def test_the_manifest_of_another_run_is_not_this_ones(run):
    other = Run(run.root, "survival", "name", {"a": 2}, 3)
    run.folder.rename(other.folder)
    with pytest.raises(IntegrityError, match="DONE"):
        _ = other.done


def test_a_file_that_is_written_anew_is_taken_in(run):
    run.path("report.html").write_text("anew")
    assert run.finished(without=["report.html"])
    run.amend(["report.html"])
    assert run.done


def test_a_run_of_a_version_without_manifests_is_done_again(run):
    run.path(DONE).write_text(json.dumps({"id": run.id, "seconds": 1}))
    assert not run.done
    with run.writing() as todo:
        assert todo
    assert run.done


@pytest.fixture
def stored(tmp_path, four_images, affine):
    arrays = four_images()
    for name in ("t1", "flair"):
        write_nifti(tmp_path / f"{name}.nii.gz", arrays[name], affine)
    images = {Modality.T1: tmp_path / "t1.nii.gz", Modality.FLAIR: tmp_path / "flair.nii.gz"}
    case, recipe = Case("a", "a", "c", None, images), Recipe(("t1", "flair"), None)
    return VolumeStore(tmp_path / "store"), case, recipe


def test_flipped_voxels_of_a_stored_volume_are_found(stored):
    store, case, recipe = stored
    key = store.prepare(case, recipe)
    before = store.open(key, whole=True).volume(("t1",)).image
    flip(store.path(key))
    with pytest.raises(IntegrityError, match="changed since it was written.*Delete"):
        store.open(key)
    flip(store.path(key))
    assert np.array_equal(store.open(key).volume(("t1",)).image, before)
    flip(store.path(key), keep_time=True)
    with pytest.raises(IntegrityError):
        store.open(key, whole=True)


def test_a_stored_volume_without_a_manifest_is_prepared_again(stored):
    store, case, recipe = stored
    key = store.prepare(case, recipe)
    content = store.path(key).read_bytes()
    flip(store.path(key))
    store.path(key).with_suffix(".json").unlink()
    with pytest.raises(IntegrityError):
        store.open(key)
    assert not store.holds(case, recipe)
    assert store.prepare(case, recipe) == key and store.path(key).read_bytes() == content


def test_a_fingerprint_follows_the_content_and_not_the_time(cohorts, tmp_path):
    cohort, store = cohorts["besta"], VolumeStore(tmp_path / "store")
    first, bare = cohort.fingerprint(store.sha256), cohort.fingerprint()
    path = next(iter(cohort.cases()[0].images.values()))
    os.utime(path)
    assert cohort.fingerprint(store.sha256) == first
    data = path.read_bytes()
    try:
        path.write_bytes(data + b"\0")
        assert cohort.fingerprint(store.sha256) != first and cohort.fingerprint() == bare
    finally:
        path.write_bytes(data)
    assert cohort.fingerprint(store.sha256) == first


def test_a_manifest_that_was_edited_names_itself(run):
    whole = json.loads(run.path(DONE).read_text())
    name = next(iter(whole["files"]))
    edits = (
        {**whole, "seconds": 0.5},
        {**whole, "files": {key: value for key, value in whole["files"].items() if key != name}},
        {key: value for key, value in whole.items() if key != "sha256"},
    )
    for edited in edits:
        run.path(DONE).write_text(json.dumps(edited))
        with pytest.raises(IntegrityError, match="DONE.*its own sha256"):
            run.finished()
