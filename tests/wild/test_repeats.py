"""One patient under two ids: samples of TCGA, sessions, copied scans, rows that agree in all that is recorded."""

import shutil

import numpy as np
import pytest

from glioma_os.cohorts.brats import BratsCohort, BratsTableCohort
from glioma_os.cohorts.overlap import SharedPatient, repeated_patients, shared_patients
from glioma_os.cohorts.splits import make_folds
from glioma_os.cohorts.table import TableCohort
from glioma_os.errors import ConfigError, DataError
from glioma_os.stages import audit, prepare, verify
from tests.pipeline.composed import Composed


def table(tmp_path, rows, header="patient_id,age,sex,os_days,event", **options):
    path = tmp_path / "t.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return TableCohort(path, **options)


@pytest.mark.parametrize(
    ("first", "second", "patient"),
    [("TCGA-02-0001-01", "TCGA.02.0001.02", "TCGA-02-0001"),
     ("TCGA-02-0001-01A-01D-1490-08", "TCGA-02-0001-02B", "TCGA-02-0001"),
     ("TCGA.02.0001.01", "TCGA.02.0001.02", "TCGA-02-0001"), ("C3L-00104-01", "C3L-00104-02", "C3L-00104"),
     ("BraTS-GLI-00003-000", "BraTS-GLI-00003-001", "BraTS-GLI-00003"),
     ("UPENN-GBM-00002_11", "UPENN-GBM-00002_21", "UPENN-GBM-00002"),
     ("UCSD-PTGBM-0001_01", "UCSD-PTGBM-0001_02", "UCSD-PTGBM-0001"), ("RHUH-0001_0", "RHUH-0001_1", "RHUH-0001")],
)  # fmt: skip
def test_samples_and_sessions_of_a_patient_stand_in_one_fold(tmp_path, first, second, patient):
    cohort = table(tmp_path, [f"{first},60,F,300,1", f"{second},61,F,300,1", "TCGA-02-0002-01,50,M,200,1"])
    cases = {case.case_id: case.patient_id for case in cohort.cases()}
    assert cases == {first: patient, second: patient, "TCGA-02-0002-01": "TCGA-02-0002"}
    assert cohort.aliases()[patient] == {patient, first, second}
    others = [f"p{k}" for k in range(10)]
    folds = make_folds([*cases.values(), *others], [0] * 13, 3, 2, 0)
    assert all(patient in assignment and first not in assignment for assignment in folds.assignments)


def test_other_ids_say_with_a_pattern_which_part_is_the_patient(tmp_path):
    rows = ["S7-pre,60,F,300,1", "S7-post,60,F,300,1"]
    assert {case.patient_id for case in table(tmp_path, rows).cases()} == {"S7-pre", "S7-post"}
    assert {case.patient_id for case in table(tmp_path, rows, patient_pattern=r"(S\d+)-\w+").cases()} == {"S7"}
    with pytest.raises(DataError, match="2 rows.*\n.*patient_pattern"):
        table(tmp_path, rows, patient_pattern=r"(P\d+)").cases()
    for wrong in ("[", "S7", "("):
        with pytest.raises(ConfigError, match="cohort.patient_pattern"):
            table(tmp_path, rows, patient_pattern=wrong)


def test_a_pandas_index_is_no_patient(tmp_path):
    path = tmp_path / "survival_info.csv"
    header, rows = "Brats20ID,Age,Survival_days", [f"BraTS20_Training_{k:03d},60.{k},{300 + k}" for k in range(5)]
    path.write_text("\n".join([f"id,{header}", *(f"{k},{row}" for k, row in enumerate(rows))]))
    assert {case.case_id for case in BratsTableCohort(path).cases()} == {f"BraTS20_Training_{k:03d}" for k in range(5)}
    path.write_text("\n".join(["id,Case,Age,Survival_days", *(f"{k},{row}" for k, row in enumerate(rows))]))
    with pytest.raises(DataError, match="column id: row numbers found"):
        BratsTableCohort(path).cases()


def test_two_columns_of_ids_are_refused(tmp_path):
    path = tmp_path / "survival.csv"
    path.write_text("Brats17ID,Brats18ID,Age,Survival\nBrats17_A_1,Brats18_A_1,60,300\n")
    with pytest.raises(DataError, match="Brats17ID and Brats18ID found → one column of ids"):
        BratsTableCohort(path).cases()


def test_all_missing_columns_are_named_with_the_keys_that_rename_them(tmp_path):
    with pytest.raises(DataError, match=r"→ patient_id; age; os_days expected. Set cohort.id_column, age_column"):
        table(tmp_path, ["a,1"], "ID,event").cases()


@pytest.mark.parametrize("name", ["row", "id", "where"])
def test_a_column_with_a_word_of_the_reader_changes_nothing(tmp_path, name):
    header = f"patient_id,age,sex,os_days,event,{name}"
    rows = ["a,60,F,300,1,x", "b,sixty,F,300,1,y"]
    with pytest.raises(DataError, match="row 3, column age: age 'sixty'"):
        table(tmp_path, rows, header).cases()
    assert [case.case_id for case in table(tmp_path, rows[:1], header).cases()] == ["a"]


def test_the_same_whole_age_days_sex_and_event_are_one_patient(tmp_path):
    rng = np.random.default_rng(3)
    rows = [f"p{k:03d},{rng.integers(25, 85)},{'FM'[k % 2]},{100 + 7 * k},{k % 3 > 0:d}" for k in range(200)]
    twins = [f"twin{k},{rows[k].partition(',')[2]}" for k in (3, 50, 120)]
    age = rows[0].split(",")[1]
    strangers = [f"x,{age},M,100,0", f"y,{age},F,100,1", f"z,{age},,100,0"]
    cohort = table(tmp_path, [*rows, *twins, *strangers])
    assert repeated_patients(cohort) == [
        SharedPatient(f"p{k:03d}", f"twin{k}", "age + days + sex + event") for k in (3, 50, 120)
    ]
    found = verify.repeated(cohort)
    assert [(f.case_id, f.level) for f in found] == [("p003", "note"), ("p050", "note"), ("p120", "note")]


@pytest.fixture
def copied(tmp_path, write_case, four_images):
    """Three cases, the third a copy of the first under another name, with its own mask."""
    for number in (1, 2):
        write_case(f"BraTS20_Training_00{number}", four_images(seed=number))
    first, third = tmp_path / "BraTS20_Training_001", tmp_path / "BraTS20_Training_003"
    third.mkdir()
    for file in first.iterdir():
        shutil.copy(file, third / file.name.replace("_001_", "_003_"))
    return tmp_path


def study_of(root, *words):
    return Composed("cohort=brats", f"cohort.root={root}", f"paths.root={root}/home", *words)


def test_one_scan_under_two_patients_is_an_error_of_verify(copied):
    found = [finding for finding in verify.findings(study_of(copied).cohort) if "of case" in finding.problem]
    assert [(f.case_id, f.level) for f in found] == [("BraTS20_Training_001", "error")]
    assert "of case BraTS20_Training_003" in found[0].problem and "same patient id" in found[0].remedy


def test_one_scan_under_two_patients_is_not_prepared(copied):
    with pytest.raises(DataError, match="BraTS20_Training_001.*of case BraTS20_Training_003"):
        prepare.main(study_of(copied).cfg)


def test_and_a_finding_of_the_audit_without_its_voxels(copied):
    study = study_of(copied, "features=none")
    run = audit.audit_of(study.cfg, study.workspace).run(study.workspace)
    assert run.read_json("audit.json")["compared"]["itself"]["evidence"] == {"file": 1}
    assert "BraTS20_Training_003,file" in run.path("shared.csv").read_text()


def test_files_of_one_size_with_other_bytes_are_other_scans(copied):
    path = copied / "BraTS20_Training_003"
    for file in path.glob("*.nii.gz"):
        raw = bytearray(file.read_bytes())
        raw[len(raw) // 2] ^= 1
        file.write_bytes(raw)
    assert shared_patients(BratsCohort(copied), BratsCohort(copied, limit=["BraTS20_Training_003"])) == [
        SharedPatient("BraTS20_Training_003", "BraTS20_Training_003", "id")
    ]


def test_two_sessions_with_the_same_file_are_a_note(tmp_path, write_case, four_images):
    images = four_images(tokens=("t1n", "t1c", "t2w", "t2f"))
    for name in ("BraTS-GLI-00003-000", "BraTS-GLI-00003-001"):
        write_case(name, images, "-")
    (found,) = verify.repeated(BratsCohort(tmp_path))
    assert found.level == "note" and "BraTS-GLI-00003-001" in found.problem
