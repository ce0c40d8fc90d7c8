import pytest

from glioma_os.cohorts.brats import BratsCohort
from glioma_os.cohorts.overlap import same_people
from glioma_os.errors import ConfigError, DataError
from glioma_os.records import Case, Modality
from glioma_os.volumes.atomic import sha256_file
from glioma_os.volumes.nifti import read_nifti

OLD = ("t1", "t1ce", "t2", "flair")
NEW = ("t1n", "t1c", "t2w", "t2f")
LAYOUTS = {
    "2017": ("HGG/Brats17_CBICA_AAB_1", OLD, "_", "brats2017", "Brats17_CBICA_AAB_1"),
    "2018": ("LGG/Brats18_TCIA10_628_1", OLD, "_", "brats2018", "Brats18_TCIA10_628_1"),
    "2019": ("HGG/BraTS19_2013_10_1", OLD, "_", "brats2019", "BraTS19_2013_10_1"),
    "2020": ("BraTS20_Training_007", OLD, "_", "brats2020", "BraTS20_Training_007"),
    "2021": ("BraTS2021_00003", OLD, "_", "brats2021", "BraTS2021_00003"),
    "2023": ("BraTS-GLI-00003-001", NEW, "-", "brats2023", "BraTS-GLI-00003"),
}


@pytest.mark.parametrize("release", LAYOUTS)
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_every_layout(tmp_path, write_case, four_images, release, suffix):
    folder, tokens, separator, coding, patient = LAYOUTS[release]
    write_case(folder, four_images(tokens=tokens), separator, suffix)
    cohort = BratsCohort(tmp_path)
    (case,) = cohort.cases()
    assert (cohort.release, cohort.label_coding, case.patient_id) == (release, coding, patient)
    assert set(case.images) == set(Modality) and "seg" in case.label.name
    assert {m: p.name.split(".")[0][-4:].strip("_-") for m, p in case.images.items()}[Modality.T1C].endswith(
        ("t1ce", "t1c")
    )


def test_case_355_has_its_odd_mask(tmp_path, write_case, four_images):
    folder = write_case("BraTS20_Training_355", four_images(), suffix=".nii")
    (folder / "BraTS20_Training_355_seg.nii").rename(folder / "W39_1998.09.19_Segm.nii")
    (case,) = BratsCohort(tmp_path).cases()
    assert case.label.name == "W39_1998.09.19_Segm.nii" and read_nifti(case.label).data.any()


def test_two_copies_of_a_sequence(tmp_path, write_case, four_images, affine):
    write_case("BraTS20_Training_001", four_images())
    write_case_again = tmp_path / "BraTS20_Training_001" / "BraTS20_Training_001_t1.nii"
    write_case_again.write_bytes(b"x")
    with pytest.raises(DataError, match="t1 found twice"):
        BratsCohort(tmp_path).cases()


def table(tmp_path, *rows):
    header = "Brats20ID,Age,Survival_days,Extent_of_Resection"
    (tmp_path / "survival_info.csv").write_text("\n".join([header, *rows]) + "\n")


def test_rows_meet_folders(tmp_path, write_case, four_images):
    for number in (1, 2):
        write_case(f"BraTS20_Training_00{number}", four_images())
    table(tmp_path, "BraTS20_Training_001,50,100,NA", "BraTS20_Training_009,50,100,GTR")
    cohort = BratsCohort(tmp_path)
    assert [case.outcome is None for case in cohort.cases()] == [False, True]
    assert cohort.excluded() == [("BraTS20_Training_009", "no images")]
    table(tmp_path, "BraTS20_Training_1,50,100,NA")
    with pytest.raises(DataError, match="BraTS20_Training_001"):
        BratsCohort(tmp_path).cases()


def test_limits_and_wrong_roots(tmp_path, write_case, four_images):
    write_case("BraTS20_Training_001", four_images())
    write_case("BraTS20_Training_002", four_images())
    assert len(BratsCohort(tmp_path, limit=["BraTS20_Training_002"]).cases()) == 1
    with pytest.raises(ConfigError, match="BraTS20_Training_00"):
        BratsCohort(tmp_path, limit=["BraTS20_Training_02"]).cases()
    for root in (None, tmp_path / "nowhere"):
        with pytest.raises(ConfigError, match="GLIOMA_OS_BRATS2020"):
            BratsCohort(root)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="BraTS20_Training_001"):
        BratsCohort(tmp_path / "empty")
    write_case("BraTS2021_00003", four_images())
    with pytest.raises(DataError, match="2020.*2021"):
        BratsCohort(tmp_path)
    assert len(BratsCohort(tmp_path, release="2021").cases()) == 1


def test_the_fingerprint_moves_with_files_and_tables(tmp_path, write_case, four_images):
    folder = write_case("BraTS20_Training_001", four_images())
    first = BratsCohort(tmp_path).fingerprint()
    assert BratsCohort(tmp_path).fingerprint() == first
    table(tmp_path, "BraTS20_Training_001,50,100,NA")
    second = BratsCohort(tmp_path).fingerprint()
    content = BratsCohort(tmp_path).fingerprint(sha256_file)
    file = folder / "BraTS20_Training_001_t1.nii.gz"
    file.touch()
    assert BratsCohort(tmp_path).fingerprint(sha256_file) == content, "the time says nothing"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    assert len({first, second, content, BratsCohort(tmp_path).fingerprint(sha256_file)}) == 4


@pytest.mark.parametrize("name", ["../x", "a/b", "", " a", ".hidden", "a\nb"])
def test_ids_cannot_leave_their_folder(name):
    with pytest.raises(DataError):
        Case(name, "p", "c", None)


def test_real_folders(real_data):
    old, new = BratsCohort(real_data / "brats2018"), BratsCohort(real_data / "brats2020_2mm")
    assert len(old.cases()) == 14 == len(new.cases())
    assert sum(case.outcome is not None for case in new.cases()) == 8
    assert len(same_people(new, old)) == 14 and len(same_people(old, new)) == 14
    assert same_people(new, old, ["Brats18_2013_11_1"]) == {"BraTS20_Training_147"}
