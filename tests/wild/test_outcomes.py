"""Direction of the event and unit of time: declared, recognised, or refused with the key that declares them."""

import re

import numpy as np
import pytest

from glioma_os.cohorts.besta import BestaCohort
from glioma_os.cohorts.brats import BratsTableCohort
from glioma_os.cohorts.outcomes import NO_SURVIVAL
from glioma_os.cohorts.table import TableCohort
from glioma_os.cohorts.ucsf import UcsfCohort
from glioma_os.cohorts.upenn import UpennCohort
from glioma_os.errors import ConfigError, DataError
from glioma_os.records import Outcome
from tests.pipeline.composed import Composed


@pytest.fixture
def table(tmp_path):
    def write(column, values, times=None, time_column="os_days", **options):
        times = times or [200 + 10 * k for k in range(len(values))]
        rows = [f"P{k},60,{t},{v}" for k, (t, v) in enumerate(zip(times, values, strict=True))]
        path = tmp_path / "t.csv"
        path.write_text("\n".join([f'patient_id,age,{time_column},"{column}"', *rows]) + "\n")
        return TableCohort(path, days_column=time_column, event_column=column, **options)

    return write


def died(cohort):
    return [case.outcome and case.outcome.event for case in cohort.cases()]


@pytest.mark.parametrize(
    ("column", "values", "events"),
    [
        ("event", ["1", "0"], [True, False]),
        ("event", ["1.0", "0.0"], [True, False]),
        ("event", ["True", "FALSE"], [True, False]),
        ("event", ["yes", "No"], [True, False]),
        ("OS.event", ["1", "0"], [True, False]),
        ("death", ["1", "0"], [True, False]),
        ("Died?", ["Y", "N"], [True, False]),
        ("Overall Survival (Death)", ["1", "0"], [True, False]),
        ("1-dead 0-alive", ["1", "0"], [True, False]),
        ("status (0 = dead, 1 = alive)", ["1", "0"], [False, True]),
        ("right_censored", ["1", "0"], [False, True]),
        ("right_censored", ["yes", "no"], [False, True]),
        ("Censored", ["True", "False"], [False, True]),
        ("isCensored", ["1", "0"], [False, True]),
        ("alive", ["1", "0"], [False, True]),
        ("vital_status", ["Dead", "Alive"], [True, False]),
        ("OS_STATUS", ["1:DECEASED", "0:LIVING"], [True, False]),
        ("status", ["deceased", "lost to follow-up"], [True, False]),
        ("right_censored", ["dead", "alive"], [True, False]),
    ],
)  # fmt: skip
def test_every_spelling_of_the_event_has_its_own_direction(table, column, values, events):
    assert died(table(column, values)) == events


@pytest.mark.parametrize("column", ["status", "vital_status", "censor", "censoring", "OS", "death_censored", "outcome"])
@pytest.mark.parametrize("values", [["1", "0"], ["yes", "no"], ["True", "False"]])
def test_a_name_that_leaves_the_direction_open_asks_for_it(table, column, values):
    with pytest.raises(DataError, match=r"cohort\.event_values=\{1: died, 0: censored\}"):
        table(column, values).cases()
    one, other = values
    assert died(table(column, values, event_values={one: "censored", other: "died"})) == [False, True]


def test_other_codes_are_declared_and_never_guessed(table):
    with pytest.raises(DataError, match="event '2' found.*event_values"):
        table("event", ["1", "2"]).cases()
    assert died(table("event", ["1", "2.0"], event_values={1: "censored", 2: "died"})) == [False, True]
    assert died(table("exitus", ["ja", "nein"], event_values={"ja": "died", "nein": "censored"})) == [True, False]
    for wrong in ({1: "dead"}, ["died"], "died"):
        with pytest.raises(ConfigError, match="cohort.event_values"):
            table("event", ["1"], event_values=wrong)


@pytest.mark.parametrize("blank", ["", "NA", "#N/A", "[Not Available]", ".", "null", "unknown", "-"])
def test_a_blank_outcome_is_none_and_the_case_is_kept_for_its_images_and_for_apply(table, blank):
    cohort = table("event", ["1", blank, "0"], [300, 300, blank or "nan"])
    assert [case.outcome for case in cohort.cases()] == [Outcome(300, True), None, None]


def test_a_study_counts_who_has_no_outcome(table, tmp_path):
    table("event", ["1", "", "0", "NA"]).cases()
    study = Composed("cohort=table", f"cohort.table={tmp_path / 't.csv'}", "features=none")
    kept, reasons = study.arm.eligible(study.workspace, study.cohort)
    assert len(kept) == 2 and reasons == {NO_SURVIVAL: 2}


def test_what_the_message_says_to_declare_is_what_a_command_line_takes(table, tmp_path):
    with pytest.raises(DataError) as caught:
        table("status", ["1", "0"]).cases()
    word = re.search(r"'(cohort\.event_values=.*?)'", caught.value.remedy)[1]
    words = ["cohort=table", f"cohort.table={tmp_path / 't.csv'}", "cohort.event_column=status", word]
    assert died(Composed(*words, "cohort.time_unit=months").cohort) == [True, False]


def test_day_0_is_a_death_and_no_follow_up(table):
    cohort = table("event", ["1", "0"], ["0", "0.0"])
    assert [case.outcome for case in cohort.cases()] == [Outcome(0.5, True), None]


UNITS = {"days": 1, "weeks": 7, "months": 30.4375, "years": 365.25}
DAYS = np.linspace(20, 760, 40)  # median 390, as of glioblastoma


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("name", ["Survival time ({})", "os_{}", "OS.{}", "Overall Survival {}"])
def test_the_unit_in_a_name_is_used(table, unit, name):
    times = [f"{day / UNITS[unit]:.6f}" for day in DAYS]
    cases = table("event", [1] * 40, times, name.format(unit)).cases()
    found = {int(case.case_id[1:]): case.outcome.time_days for case in cases}
    assert np.allclose([found[k] for k in range(40)], DAYS, atol=1e-3)


@pytest.mark.parametrize("unit", ["weeks", "months", "years"])
def test_another_unit_in_a_column_of_days_is_refused_until_it_is_declared(table, unit):
    times = [f"{day / UNITS[unit]:.4f}" for day in DAYS]  # three decimals may be thousands
    with pytest.raises(DataError, match=r"column os_days: a median of .*cohort\.time_unit"):
        table("event", [1] * 40, times).cases()
    found = [case.outcome.time_days for case in table("event", [1] * 40, times, time_unit=unit).cases()]
    assert np.median(found) == pytest.approx(np.median(DAYS), rel=0.01)


def test_days_in_a_column_of_months_are_refused(table):
    with pytest.raises(DataError, match=r"median.*cohort\.time_unit|months '"):
        table("event", [1] * 40, [f"{day / 3:.0f}" for day in DAYS], "os_months").cases()


def test_short_survival_that_is_declared_in_days_is_believed(table):
    assert len(table("event", [1] * 40, [10 + k for k in range(40)], time_unit="days").cases()) == 40
    with pytest.raises(ConfigError, match="cohort.time_unit"):
        table("event", ["1"], time_unit="fortnights")
    with pytest.raises(DataError, match="days and months found → one unit.*cohort.time_unit"):
        table("event", ["1"], time_column="days or months").cases()


def hospital(tmp_path, months):
    (tmp_path / "a.nii").touch()
    rows = [f"BESTA-{k:04d},60,{m},{k % 2},a.nii,a.nii" for k, m in enumerate(months)]
    return ["patient_id,age,os_days,event,t1c,flair", *rows], BestaCohort


PUBLIC = {
    "besta": hospital,
    "brats": lambda _, months: (["Brats20ID,Age,Survival_days", *(f"B{k},60,{round(m)}" for k, m in enumerate(months))],
                                BratsTableCohort),
    "upenn": lambda _, months: (["ID,Age_at_scan_years,Survival_from_surgery_days",
                                 *(f"UPENN-GBM-{k:05d}_11,60,{m}" for k, m in enumerate(months))], UpennCohort),
    "ucsf": lambda _, months: (["ID,Age at MRI,OS,1-dead 0-alive,WHO CNS Grade,IDH",
                                *(f"UCSF-PDGM-{k:04d},60,{m},1,4,wildtype" for k, m in enumerate(months))], UcsfCohort),
}  # fmt: skip


@pytest.mark.parametrize("source", PUBLIC)
def test_months_are_refused_in_every_cohort(tmp_path, source):
    lines, cohort = PUBLIC[source](
        tmp_path, [f"{day / 30.4375:.1f}" if source != "brats" else day / 30.4375 for day in DAYS]
    )
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match="a median of"):
        cohort(table=tmp_path / "t.csv").cases()
