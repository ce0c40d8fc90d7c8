"""Tables whose columns the configuration names."""

import pytest

from glioma_os.cohorts.table import TableCohort
from glioma_os.errors import ConfigError, DataError
from glioma_os.records import Clinical, Extent, Outcome


@pytest.fixture
def table(tmp_path):
    def write(*lines, header="patient_id,age,os_days,event", **options):
        path = tmp_path / "patients.csv"
        path.write_text("\n".join([header, *lines]) + "\n")
        return TableCohort(path, **options)

    return write


def test_rows_become_cases(table):
    cases = table("a,50.5,100,1", "b,,200,0").cases()
    assert [case.outcome for case in cases] == [Outcome(100, True), Outcome(200, False)]
    assert [case.clinical.age_years for case in cases] == [50.5, None]


def test_columns_and_names_elsewhere(table):
    cohort = table(
        "a,50,100,BraTS19_A_1", "b,50,100,NA", header="ID,Alter,t,elsewhere", id_column="ID", age_column="Alter",
        days_column="t", event_column=None, alias_columns=["elsewhere"],
    )  # fmt: skip
    assert all(case.outcome == Outcome(100, True) for case in cohort.cases())
    assert cohort.aliases() == {"a": {"a", "BraTS19_A_1"}, "b": {"b"}}


@pytest.mark.parametrize(
    ("row", "message"),
    [("a,50,100,2", "event '2'"), ("a,50,100,soon", "event 'soon'"),
     ("a,500,100,1", "column age"), ("a,50,-1,1", "column os_days")],
)  # fmt: skip
def test_one_bad_cell_is_one_clear_error(table, row, message):
    with pytest.raises(DataError, match=f"row 2.*{message}"):
        table(row).cases()


def test_what_the_table_lacks_is_named(table):
    with pytest.raises(DataError, match="os_days"):
        table("a,50,1", header="patient_id,age,event").cases()
    with pytest.raises(DataError, match="elsewhere"):
        table("a,50,1,1", alias_columns=["elsewhere"]).cases()
    with pytest.raises(DataError, match="row 3.*conflicting"):
        table("a,50,100,1", "a,51,100,1").cases()
    with pytest.raises(ConfigError, match=r"cohort\.table"):
        TableCohort(None)


def test_optional_clinical_columns_are_read_where_the_table_has_them(table):
    header = "patient_id,age,os_days,event,Sex,KPS,eor,idh,mgmt,site"
    full, blank = table("a,50,100,1,f,80,GTR,mutant,0,Milan", "b,50,100,0,,NA,,,unknown,NA", header=header).cases()
    assert full.clinical == Clinical(50, "F", 80, Extent.GTR, idh_mutant=True, mgmt_methylated=False)
    assert blank.clinical == Clinical(50) and (full.site, blank.site) == ("Milan", None)
    with pytest.raises(DataError, match="row 2, column kps"):
        table("a,50,100,1,150", header="patient_id,age,os_days,event,kps").cases()
