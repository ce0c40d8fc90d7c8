import pytest
from hypothesis import given
from hypothesis import strategies as st

from glioma_os.cohorts.besta import BestaCohort
from glioma_os.cohorts.brats import BratsTableCohort, survival_rows
from glioma_os.cohorts.clinical import parse_age, parse_extent, read_table
from glioma_os.cohorts.faults import MOST_LISTED
from glioma_os.cohorts.outcomes import parse_survival
from glioma_os.cohorts.table import TableCohort
from glioma_os.cohorts.ucsf import UcsfCohort
from glioma_os.cohorts.upenn import UpennCohort
from glioma_os.errors import DataError
from glioma_os.records import Extent, Outcome


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("289", Outcome(289, True)),
        ("289.0", Outcome(289, True)),
        ("ALIVE (361 days later)", Outcome(361, False)),
        ("0", Outcome(0.5, True)),
        ("ALIVE (0 days later)", None),
        ("", None),
        ("NA", None),
    ],
)
def test_survival_grammar(text, outcome):
    assert parse_survival(text, "row 2") == outcome


@pytest.mark.parametrize("text", ["alive", "361d", "1.2e3", "-5", "99999", "ALIVE", "12.5", "ALIVE (x days later)"])
def test_other_survival_is_an_error_that_shows_it(text):
    with pytest.raises(DataError) as caught:
        parse_survival(text, "table.csv, row 7")
    assert repr(text) in str(caught.value) and "row 7" in str(caught.value)


@given(st.text(max_size=12))
def test_no_text_becomes_an_unlikely_survival(text):
    try:
        outcome = parse_survival(text, "x")
    except DataError:
        return
    assert outcome is None or 0 < outcome.time_days < 15_000


@pytest.mark.parametrize("text", ["60,463", "60.463y", "-1", "600", "0"])
def test_odd_ages(text):
    with pytest.raises(DataError, match="age"):
        parse_age(text, "row")


def test_ages_and_extents():
    assert parse_age("60.463", "row") == 60.463 and parse_age("NA", "row") is None
    assert parse_extent("gtr ", "row") is Extent.GTR and parse_extent("NA", "row") is None
    with pytest.raises(DataError, match="resection"):
        parse_extent("total", "row")


TABLE = "Brats20ID,Age,Survival_days,Extent_of_Resection\nBraTS20_Training_001,60.463,289,GTR\n"


@pytest.mark.parametrize(
    "content",
    [
        TABLE.encode(),
        b"\xef\xbb\xbf" + TABLE.encode(),
        TABLE.replace("\n", "\r\n").encode(),
        TABLE.replace(",", ";").encode(),
        TABLE.replace(",", "\t").encode(),
        TABLE.replace("GTR", '"GTR"').encode("latin-1"),
    ],
)
def test_spreadsheet_dialects_read_alike(tmp_path, content):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    ((case, (clinical, outcome)),) = survival_rows(path).items()
    assert case == "BraTS20_Training_001" and clinical.extent is Extent.GTR and outcome == Outcome(289, True)


def test_missing_columns_and_double_rows(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("Brats20ID,Age\nA,1\n")
    with pytest.raises(DataError, match="brats20id, age found.*Survival"):
        survival_rows(path)
    path.write_text(TABLE + "BraTS20_Training_001,60.463,290,GTR\n")
    with pytest.raises(DataError, match=r"row 3.*conflicting"):
        survival_rows(path)
    path.write_text(TABLE + TABLE.splitlines()[1] + "\n")
    with pytest.raises(DataError, match="identical"):
        survival_rows(path)
    path.write_text(TABLE + "B,50\n")
    with pytest.raises(DataError, match="row 3.*2 cells"):
        read_table(path, ["Brats20ID"])


FAULTY = {  # row 2 is sound, rows 3 and 4 are not
    BestaCohort: (
        "patient_id,age,os_days,event,t1c,flair\nBESTA-0001,61,40,1,t.csv,t.csv\n"
        "BESTA-0002,sixty,40,1,t.csv,t.csv\nBESTA-0003,61,40,1,none.nii,t.csv\n"
    ),
    BratsTableCohort: "Brats20ID,Age,Survival_days,Extent_of_Resection\nA,60,10,GTR\nB,sixty,10,GTR\nC,60,-5,GTR\n",
    TableCohort: "patient_id,age,os_days,event\nA,60,10,1\nB,sixty,10,1\nC,60,10,2\n",
    UpennCohort: (
        "ID,Age_at_scan_years,Survival_from_surgery_days\nUPENN-GBM-00001_11,60,10\n"
        "UPENN-GBM-00002_11,sixty,10\nPENN-3,60,10\n"
    ),
    UcsfCohort: (
        "ID,Age at MRI,OS,1-dead 0-alive,WHO CNS Grade\nUCSF-PDGM-0004,60,10,1,4\nUCSF-PDGM-0005,sixty,10,1,4\n"
        "UCSF-PDGM-004,60,10,1,4\n"
    ),
}


@pytest.mark.parametrize("kind", FAULTY, ids=lambda kind: kind.__name__)
def test_all_rows_that_cannot_be_read_are_told_at_once(kind, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(FAULTY[kind])
    with pytest.raises(DataError) as caught:
        kind(table=path).cases()
    first, *lines = str(caught.value).splitlines()
    assert first.startswith(f"{path}: 2 rows found that cannot be read")
    assert [line.strip().partition(",")[0].partition(":")[0] for line in lines] == ["row 3", "row 4"]


def test_one_fault_stands_alone_and_many_are_counted(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("patient_id,age,os_days,event\nA,60,10,1\nB,sixty,10,1\n")
    with pytest.raises(DataError, match="row 3, column age: age 'sixty' found"):
        TableCohort(path).cases()
    path.write_text("patient_id,age\n" + "".join(f"P{number}\n" for number in range(MOST_LISTED + 5)))
    with pytest.raises(DataError, match=f"{MOST_LISTED + 5} rows found that cannot be read") as caught:
        read_table(path, ("patient_id",))
    lines = str(caught.value).splitlines()[1:]
    assert len(lines) == MOST_LISTED + 1 and lines[-1].strip() == "and 5 more"


def test_real_2020_table_counts(real_data):
    cases = BratsTableCohort(real_data / "tables/brats/survival_info_2020.csv").cases()
    gtr = [case for case in cases if case.clinical.extent is Extent.GTR]
    assert (len(cases), len(gtr), sum(case.outcome.event for case in gtr)) == (236, 119, 118)
    (alive,) = [case for case in cases if not case.outcome.event]
    assert alive.case_id == "BraTS20_Training_084" and alive.outcome == Outcome(361, False)


@pytest.mark.parametrize(("year", "rows"), [(2017, 163), (2018, 163), (2019, 259)])
def test_real_tables_of_other_years_read(real_data, year, rows):
    assert len(survival_rows(real_data / f"tables/brats/survival_data_{year}.csv")) == rows
