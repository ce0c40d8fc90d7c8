"""Days, ids, units and marks as spreadsheets of other countries and programs spell them."""

import pytest

from glioma_os.cohorts.brats import BratsTableCohort
from glioma_os.cohorts.table import TableCohort
from glioma_os.cohorts.upenn import UpennCohort
from glioma_os.errors import DataError


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
