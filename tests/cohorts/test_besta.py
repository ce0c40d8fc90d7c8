import pytest

from glioma_os.cohorts.besta import BestaCohort
from glioma_os.errors import ConfigError, DataError
from glioma_os.records import Clinical, Extent, Modality, Outcome

HEADER = "patient_id,session_id,site,age,sex,eor,idh,os_days,event,t1c,flair,seg"


@pytest.fixture
def write(tmp_path):
    (tmp_path / "a.nii.gz").write_bytes(b"x")

    def rows(*lines, header=HEADER):
        path = tmp_path / "patients.csv"
        path.write_text("\n".join([header, *lines]) + "\n")
        return BestaCohort(path)

    return rows


def test_a_row_becomes_a_case(write):
    (case,) = write("BESTA-0001,s1,milan,61.5,F,gtr,wildtype,412,1,a.nii.gz,a.nii.gz,").cases()
    assert case.case_id == "BESTA-0001_s1" and case.patient_id == "BESTA-0001" and case.label is None
    assert case.clinical == Clinical(61.5, "F", None, Extent.GTR, False, None)
    assert case.outcome == Outcome(412, True) and set(case.images) == {Modality.T1C, Modality.FLAIR}


def test_a_missing_sequence_is_left_out_and_said(write):
    cohort = write("BESTA-0001,,,60,,,,100,0,a.nii.gz,,", "BESTA-0002,,,60,,,,100,1,a.nii.gz,a.nii.gz,")
    assert [case.case_id for case in cohort.cases()] == ["BESTA-0002"]
    assert cohort.excluded() == [("BESTA-0001", "no flair image")]


@pytest.mark.parametrize("name", ["ROSSI_MARIO", "1954-03-02", "12345678", "BESTA-1"])
def test_an_id_that_is_no_pseudonym_is_refused_and_not_repeated(write, name):
    with pytest.raises(DataError, match="pseudonym") as caught:
        write(f"{name},,,60,,,,100,1,a.nii.gz,a.nii.gz,").cases()
    assert name not in str(caught.value)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("BESTA-0001,,,60,,,,100,2,a.nii.gz,a.nii.gz,", "column event"),
        ("BESTA-0001,,,60,,,,-3,1,a.nii.gz,a.nii.gz,", "column os_days"),
        ("BESTA-0001,,,600,,,,100,1,a.nii.gz,a.nii.gz,", "column age"),
        ("BESTA-0001,,,60,,,maybe,100,1,a.nii.gz,a.nii.gz,", "column idh"),
        ("BESTA-0001,,,60,,,,100,1,b.nii.gz,a.nii.gz,", "column t1c"),
        ("BESTA-0001,,,60,,,,100,1,../a.nii.gz,a.nii.gz,", "leaves the data folder"),
        ("BESTA-0001,,,60,,,,100,1,/etc/passwd,a.nii.gz,", "leaves the data folder"),
    ],
)
def test_one_bad_cell_is_one_clear_error(write, row, message):
    with pytest.raises(DataError, match=message) as caught:
        write(row).cases()
    assert "row 2" in str(caught.value)


def test_a_cohort_that_all_died_is_questioned(write):
    rows = [f"BESTA-{k:04d},,,60,,,,100,1,a.nii.gz,a.nii.gz," for k in range(25)]
    with pytest.raises(DataError, match="column event"):
        write(*rows).cases()


def test_no_table_is_a_config_error(tmp_path):
    with pytest.raises(ConfigError, match="GLIOMA_OS_BESTA"):
        BestaCohort(None)


def test_two_sessions_are_two_cases_of_one_patient_and_the_same_session_is_an_error(write):
    row = "BESTA-0001,{},,60,,,,100,1,a.nii.gz,a.nii.gz,"
    cases = write(row.format("s1"), row.format("s2")).cases()
    assert [(c.case_id, c.patient_id) for c in cases] == [
        ("BESTA-0001_s1", "BESTA-0001"),
        ("BESTA-0001_s2", "BESTA-0001"),
    ]
    with pytest.raises(DataError, match="row 3.*identical"):
        write(row.format("s1"), row.format("s1")).cases()
