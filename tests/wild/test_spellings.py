"""Days, ids, units and marks as spreadsheets of other countries and programs spell them."""

import pytest

from glioma_os.cohorts.brats import BratsTableCohort
from glioma_os.cohorts.overlap import same_people
from glioma_os.cohorts.patient_ids import patient_of
from glioma_os.cohorts.table import TableCohort
from glioma_os.cohorts.upenn import UpennCohort
from glioma_os.cohorts.vocabulary import units_in
from glioma_os.data.feature_csv import read_feature_csv
from glioma_os.errors import CONTROL, DataError, printable
from glioma_os.reporting.result_files import csv_bytes, read_rows


def cohort(tmp_path, text, **options):
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    return TableCohort(tmp_path / "t.csv", **options)


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("patient_id;age;os_days;event\nA;60;300;1\nB;55;3.795;1\nC;50;1.151;0\n", 3),
        ("patient_id;age;os_days;event\nA;60;3,795;1\nB;55;1,151;1\n", 2),
        ('patient_id,age,os_days,event\nA,"60,5","1,234",1\nB,"3,4",300,1\n', 2),
    ],
)
def test_days_that_may_be_thousands_are_refused(tmp_path, text, row):
    with pytest.raises(DataError, match=rf"row {row}, column os_days: .*Write \d{{4}} \(or \d\.\d+\)"):
        cohort(tmp_path, text).cases()
    with pytest.raises(DataError, match="thousands"):
        cohort(tmp_path, text, time_unit="days").cases()


def test_ages_and_other_units_keep_three_decimals(tmp_path):
    text = "patient_id;age;os_months;event\nA;60.463;13.795;1\n"
    (case,) = cohort(tmp_path, text, days_column="os_months").cases()
    assert case.clinical.age_years == 60.463 and case.outcome.time_days == pytest.approx(13.795 * 30.4375)


def test_days_of_published_tables_that_may_be_thousands_are_refused(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("ID;Age_at_scan_years;Survival_from_surgery_days\nUPENN-GBM-00001_11;60.463;1.151\n")
    with pytest.raises(DataError, match="row 2, column Survival_from_surgery_days: .*thousands"):
        UpennCohort(path).cases()
    path.write_text("Brats20ID;Age;Survival_days\nBraTS20_Training_001;60.463;1.000\n")
    with pytest.raises(DataError, match="row 2, column Survival_days: .*thousands"):
        BratsTableCohort(path).cases()


SAMPLES = [
    "TCGA-06-0125", "TCGA-06-0125-01", "TCGA-06-0125-01A-01D", "TCGA-06-0125-TP", "TCGA-06-0125-R1", "TCGA-06-0125-TM",
    "TCGA-06-0125-NB", "TCGA.06.0125.02", "TCGA_06_0125_01", "tcga-06-0125-03", "tcga.06.0125", "TCGA-06-0125-1",
    "TCGA_06_0125",
]  # fmt: skip


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_of_tcga_are_one_patient_however_they_are_spelt(name):
    assert patient_of(name) == "TCGA-06-0125"


def test_letters_of_a_tcga_patient_are_capitals():
    assert patient_of("tcga-hT-a61c-tp") == "TCGA-HT-A61C"
    assert patient_of("TCGA-060125") == "TCGA-060125" and patient_of("XTCGA-06-0125-01") == "XTCGA-06-0125-01"


def test_cohorts_that_spell_tcga_apart_share_the_patient(tmp_path):
    own = cohort(tmp_path, "patient_id,age,os_days,event\nTCGA.06.0125.01,60,300,1\ntcga-06-0125-R1,60,300,1\n")
    assert {case.patient_id for case in own.cases()} == {"TCGA-06-0125"}
    (tmp_path / "names.csv").write_text("id,tcga\nBraTS20_Training_001,TCGA_06_0125\n")
    (tmp_path / "b.csv").write_text("Brats20ID,Age,Survival_days\nBraTS20_Training_001,50,400\n")
    other = BratsTableCohort(tmp_path / "b.csv", name_mapping=tmp_path / "names.csv")
    assert same_people(own, other) == {"TCGA-06-0125"}


def test_a_row_of_a_workbook_may_begin_with_a_number_sign(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (["patient_id", "age", "os_days", "event"], ["#1", 60, 300, 1], ["#2", 55, 400, 0], ["P3", 50, 500, 1]):
        book.active.append(row)
    book.save(tmp_path / "t.xlsx")
    assert [case.case_id for case in TableCohort(tmp_path / "t.xlsx").cases()] == ["#1", "#2", "P3"]


@pytest.mark.parametrize(
    "row", ["#1,60,300,1", " #1,60,300,1", "#1,60,300,1,", "#1,60,300,1,,", "#1,60,300,", '#1,"60",300,1']
)
def test_a_row_of_text_that_begins_with_a_number_sign_does_not_vanish(tmp_path, row):
    with pytest.raises(DataError, match="row 2: a line that begins with # and has 4 cells"):
        cohort(tmp_path, f"patient_id,age,os_days,event\n{row}\nP2,50,400,0\n").cases()


def test_the_cells_of_a_commented_row_are_counted_without_blank_columns(tmp_path):
    with pytest.raises(DataError, match="row 2: a line that begins with # and has 4 cells"):
        cohort(tmp_path, "patient_id,age,os_days,event,,\n#1,60,300,1\nP2,50,400,0,,\n").cases()
    assert len(cohort(tmp_path, "patient_id,age,os_days,event\n# by hand, 2026\nP2,50,400,0\n").cases()) == 1


@pytest.mark.parametrize(
    "ids", [["7", "2", "5"], ["3"], ["0.0", "1.0", "4.0"], ["12", "13"], ["2", "1"], ["1e3", "-1"]]
)
@pytest.mark.parametrize("column", ["id", "Brats20ID"])
def test_ids_of_brats_are_never_numbers(tmp_path, column, ids):
    path = tmp_path / "t.csv"
    path.write_text(f"{column},Age,Survival_days\n" + "".join(f"{own},60,{300 + k}\n" for k, own in enumerate(ids)))
    with pytest.raises(DataError, match=f"column {column}: row numbers found → ids of patients"):
        BratsTableCohort(path).cases()


UNITS = {
    "months": ["OS_mon", "OSmonths", "OSMonths", "OSMONTHS", "OS Monate", "survie_mois", "SG (meses)", "os_mes",
               "OSmos", "survivalMonths", "SurvivalMonths", "OS (mesi)"],
    "weeks": ["OS_wks", "Wochen", "OS.Wochen", "OSweeks", "survie (semaines)", "semanas", "settimane"],
    "years": ["OS_yrs", "OSyrs", "jahre", "OSYears", "Überleben (Jahre)", "años", "années", "anni"],
    "days": ["Tage", "OS_Tage", "OSdays", "OSDays", "jours", "días", "giorni", "os_days"],
}  # fmt: skip


@pytest.mark.parametrize(("unit", "column"), [(unit, name) for unit, names in UNITS.items() for name in names])
def test_units_in_names_of_columns_in_other_words(unit, column):
    assert units_in(column) == {unit}


@pytest.mark.parametrize("column", ["OS", "stage", "time", "survival", "status", "Montage", "os", "demos", "dosage"])
def test_other_words_are_no_units(column):
    assert units_in(column) == set()


@pytest.mark.parametrize("first", ["sep=\t", '"sep=\t"', "sep=;", "sep=|", "SEP=\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_separator_that_excel_declares(tmp_path, first, end):
    sign = first.strip('"')[4]
    lines = [first, *(line.replace(",", sign) for line in ("patient_id,age,os_days,event", "P1,60,300,1"))]
    assert [case.case_id for case in cohort(tmp_path, end.join(lines) + end).cases()] == ["P1"]


INVISIBLE = ["\u200b", "\u200d", "\ufeff", "\u2060", "\u00ad", "\u061c", "\U000e0041"]


@pytest.mark.parametrize("mark", INVISIBLE)
def test_an_id_with_an_invisible_character_is_refused(tmp_path, mark):
    with pytest.raises(DataError, match="invisible or control characters") as caught:
        cohort(tmp_path, f"patient_id,age,os_days,event\nP{mark}1,60,300,1\n").cases()
    assert mark not in str(caught.value)
    (tmp_path / "f.csv").write_text(f"case_id,a\nP{mark}1,0.5\nP2,0.7\n", encoding="utf-8")
    with pytest.raises(DataError, match="row 2: .*invisible") as caught:
        read_feature_csv(tmp_path / "f.csv")
    assert mark not in str(caught.value)


@pytest.mark.parametrize("mark", INVISIBLE)
def test_names_of_columns_are_compared_without_invisible_characters(tmp_path, mark):
    text = f"patient_id{mark},a{mark}ge,os_{mark}months,{mark}event,si{mark}te\nP1,60,10,1,Milano\n"
    (case,) = cohort(tmp_path, text, days_column="os_months").cases()
    assert (case.clinical.age_years, case.outcome.time_days, case.site) == (60, 304.375, "Milano")
    plain = "patient_id,age,os_months,event\nP1,60,10,1\n"
    marked = {"id_column": f"patient{mark}_id", "days_column": f"os_mon{mark}ths", "event_column": f"ev{mark}ent"}
    (case,) = cohort(tmp_path, plain, **marked).cases()
    assert case.outcome.time_days == 304.375 and case.outcome.event
    with pytest.raises(DataError, match="one of them expected"):
        cohort(tmp_path, f"patient_id,age,os_days,event,event{mark}\nP1,60,10,1,0\n").cases()


@pytest.mark.parametrize("mark", ["\x1b", "\x07", "\x9b", "\u202e", "\u200f"])
@pytest.mark.parametrize("column", ["subgroup", "case_id"])
def test_control_characters_are_written_out_in_every_csv(tmp_path, mark, column):
    path = tmp_path / "x.csv"
    path.write_bytes(csv_bytes([column, f"n{mark}"], [[f"site Mi{mark}[2Jlano", 1.5]]))
    assert not CONTROL.search(path.read_text(encoding="utf-8"))
    assert read_rows(path) == [{column: f"site Mi{printable(mark)}[2Jlano", f"n{printable(mark)}": "1.5"}]
