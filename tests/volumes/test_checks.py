import numpy as np
import pytest

from glioma_os.cohorts.brats import BratsCohort
from glioma_os.records import Modality
from glioma_os.volumes.checks import check_case
from glioma_os.volumes.conventions import coding
from glioma_os.volumes.nifti import write_nifti

NAME = "BraTS20_Training_001"


def findings(tmp_path):
    case = BratsCohort(tmp_path).cases()[0]
    return check_case(case, coding("brats2020"), tuple(Modality))


def file(tmp_path, token):
    return tmp_path / NAME / f"{NAME}_{token}.nii.gz"


def test_a_sound_case_has_no_finding(tmp_path, write_case, four_images):
    write_case(NAME, four_images())
    assert findings(tmp_path) == []


def test_all_faults_are_found_at_once(tmp_path, write_case, four_images, affine):
    arrays = four_images()
    arrays["seg"][4, 4, 4] = 3
    write_case(NAME, arrays)
    file(tmp_path, "t1").write_bytes(file(tmp_path, "t1").read_bytes()[:-40])
    file(tmp_path, "t2").unlink()
    moved = affine.copy()
    moved[0, 3] += 10
    write_nifti(file(tmp_path, "flair"), arrays["flair"], moved)
    text = {f.where: f.problem for f in findings(tmp_path)}
    assert "ended early" in text[f"{NAME}_t1.nii.gz"]
    assert "no t2 image" in text["sequence t2"]
    assert "affine" in text[f"{NAME}_flair.nii.gz"]
    assert "3 (1 voxels)" in text[f"{NAME}_seg.nii.gz"]


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_flipped_affine_does_not_cancel_out(tmp_path, write_case, four_images, affine, axis):
    arrays = four_images()
    write_case(NAME, arrays)
    flipped = affine.copy()
    flipped[axis, axis] *= -1
    write_nifti(file(tmp_path, "seg"), arrays["seg"], flipped)
    assert any(f.level == "error" and "affine" in f.problem for f in findings(tmp_path))


def test_doubled_constant_empty_and_misplaced_files(tmp_path, write_case, four_images):
    arrays = four_images()
    arrays["t2"] = arrays["t1"] * 2
    arrays["flair"][:] = 0
    arrays["seg"][:] = 0
    arrays["seg"][0, 0, 0] = 2
    write_case(NAME, arrays)
    problems = {f.where: (f.level, f.problem) for f in findings(tmp_path)}
    assert "same image content" in problems[f"{NAME}_t2.nii.gz"][1]
    assert "of the same value" in problems[f"{NAME}_flair.nii.gz"][1]
    assert problems[f"{NAME}_seg.nii.gz"][0] == "error" and "outside the brain" in problems[f"{NAME}_seg.nii.gz"][1]


def test_an_empty_mask_is_a_note(tmp_path, write_case, four_images):
    arrays = four_images()
    arrays["seg"] = np.zeros_like(arrays["seg"])
    write_case(NAME, arrays)
    assert [(f.level, f.problem) for f in findings(tmp_path)] == [("note", "no tumour in the mask")]


def test_real_cases_are_sound_but_for_the_cut_flair(real_data):
    cohort = BratsCohort(real_data / "brats2018", limit=["Brats18_2013_20_1", "Brats18_CBICA_ABM_1"])
    found = [f for case in cohort.cases() for f in check_case(case, coding("brats2018"), tuple(Modality))]
    assert [(f.case_id, f.level) for f in found] == [("Brats18_2013_20_1", "note")]
    assert "brain" in found[0].problem
