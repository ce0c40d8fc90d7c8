"""Who is in two cohorts: made-up people, and the real tables' known answers."""

import csv
import gzip
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from glioma_os.cohorts.brats import BratsTableCohort
from glioma_os.cohorts.cohort import Cohort
from glioma_os.cohorts.overlap import (
    SUSPECTED,
    SharedPatient,
    ages_tell,
    repeated_patients,
    same_people,
    shared_patients,
    suspected_patients,
)
from glioma_os.cohorts.upenn import UpennCohort
from glioma_os.errors import DataError
from glioma_os.records import Case, Clinical, Modality, Outcome
from glioma_os.volumes.nifti import read_nifti

REAL = Path(os.environ.get("GLIOMA_OS_REAL_DATA", Path(__file__).parents[2] / "../shared/data")) / "tables"
real = pytest.mark.skipif(not REAL.is_dir(), reason="no real tables under GLIOMA_OS_REAL_DATA")


class People(Cohort):
    name = "people"

    def __init__(self, rows, aliases=None):
        self.rows, self.names = rows, aliases or {}

    def _read(self):
        cases = [Case(i, i, "people", None, clinical=Clinical(age_years=age), outcome=Outcome(days, True))
                 for i, age, days in self.rows]  # fmt: skip
        return cases, []

    def aliases(self):
        return {i: frozenset({i, *self.names.get(i, ())}) for i, _, _ in self.rows}


OWN = People([("a", 60.463, 289.0), ("b", 52.263, 616.0), ("c", 70.001, 100.0)])


@pytest.mark.parametrize(
    ("age", "days", "same"),
    [
        (60.463, 289.0, True),
        (60.46, 289.0, True),  # rounded
        (60.42, 289.0, True),  # 22069 days in years of 365.25
        (60.39, 289.0, False),
        (60.463, 290.0, False),
    ],
)
def test_age_and_days_match_through_rounding_and_the_length_of_a_year(age, days, same):
    found = shared_patients(OWN, People([("x", age, days), ("y", 33.33, 5.0)]))
    assert [(p.own, p.other, p.evidence) for p in found] == ([("a", "x", "age + days")] if same else [])


def test_an_id_is_stronger_evidence_and_whole_years_say_nothing():
    other = People([("x", 60.463, 289.0)], {"x": {"a"}})
    assert [p.evidence for p in shared_patients(OWN, other)] == ["id"]
    assert same_people(OWN, other) == {"a"}
    whole_years = People([("x", 60.0, 289.0)])
    assert shared_patients(OWN, whole_years) == [] and not ages_tell(OWN, whole_years) and ages_tell(OWN, OWN)


def test_one_person_twice_in_a_cohort():
    twice = People([*OWN.rows, ("d", 52.263, 616.0)])
    assert [(p.own, p.other) for p in repeated_patients(twice)] == [("b", "d")]
    assert repeated_patients(OWN) == []


def test_same_voxels_are_one_person_whatever_the_name(cohorts, tmp_path):
    own = cohorts["brats2020"]
    case = own.cases()[3]
    other = People([("renamed", 33.3, 5.0)])
    other.cases()[0].images.update({Modality.T1C: case.images[Modality.T1C]})
    assert shared_patients(own, other) == [SharedPatient(case.patient_id, "renamed", "file")]
    again = tmp_path / "again.nii.gz"
    again.write_bytes(gzip.compress(gzip.decompress(case.images[Modality.T1C].read_bytes()), 1))
    other.cases()[0].images.update({Modality.T1C: again})
    assert shared_patients(own, other) == []
    assert shared_patients(own, other, voxels=True) == [SharedPatient(case.patient_id, "renamed", "voxels")]
    assert repeated_patients(own, voxels=True) == []


def test_one_person_under_two_ids_of_a_cohort_by_an_alias():
    both = People(OWN.rows, {"a": ["TCGA-02-0001"], "c": ["TCGA-02-0001"]})
    assert repeated_patients(both) == [SharedPatient("a", "c", "id")]


def test_voxels_are_compared_in_a_sequence_that_both_have_and_read_once(cohorts, monkeypatch):
    own = cohorts["brats2020"]
    other = People([("flair_only", 33.3, 5.0), ("none", 44.4, 6.0)])
    other.cases()[0].images.update({Modality.FLAIR: own.cases()[1].images[Modality.FLAIR]})
    read, titles = [], []
    monkeypatch.setattr("glioma_os.cohorts.overlap.read_nifti", lambda path: read.append(path) or read_nifti(path))

    def progress(cases, total, title):
        titles.append((title, total))
        return cases

    assert [p.other for p in shared_patients(own, other, voxels=True, progress=progress)] == ["flair_only"]
    assert titles == [("Reading voxels of people", 1), (f"Reading voxels of {own.name}", 12)]
    assert len(read) == len(set(read)) == 12
    assert shared_patients(own, People([("x", 33.3, 5.0)]), voxels=True) == []


def test_a_mapping_that_is_not_there_is_named(tmp_path):
    table = tmp_path / "survival.csv"
    table.write_text("BraTS19ID,Age,Survival\nBraTS19_A_1,50,100\n")
    with pytest.raises(DataError, match="nowhere.csv.*cannot be read"):
        BratsTableCohort(table, tmp_path / "nowhere.csv").aliases()


def drawn(prefix, n, rng, decimals=2):
    ages, days = rng.normal(60, 10, n).round(decimals), np.ceil(np.exp(rng.normal(5.8, 0.9, n)))
    return [(f"{prefix}{k:03d}", float(a), float(d)) for k, (a, d) in enumerate(zip(ages, days, strict=True))]


@pytest.mark.parametrize("decimals", [2, 0])
def test_shared_patients_whose_ages_were_jittered_are_suspected_and_not_certain(decimals):
    rng = np.random.default_rng(0)
    own = People(drawn("a", 200, rng))
    jitter = rng.uniform(0.1, 0.4, 40) * rng.choice([-1, 1], 40)
    shared = [
        (f"x{k:03d}", round(age + j, decimals), days)
        for k, ((_, age, days), j) in enumerate(zip(own.rows[:40], jitter, strict=True))
    ]
    other = People([*shared, *drawn("y", 100, rng, decimals)])
    certain = shared_patients(own, other)
    found, expected = suspected_patients(own, other, certain)
    assert certain == [] and {pair.evidence for pair in found} == {SUSPECTED}
    truth = {(f"a{k:03d}", f"x{k:03d}") for k in range(40)}
    by_chance = {(pair.own, pair.other) for pair in found} - truth
    assert truth <= {(pair.own, pair.other) for pair in found} and len(by_chance) <= 3 * expected + 3


def test_expected_by_chance_is_what_strangers_give():
    rng = np.random.default_rng(1)
    found = expected = 0.0
    for _ in range(10):
        pairs, by_chance = suspected_patients(People(drawn("a", 150, rng)), People(drawn("b", 150, rng)))
        found, expected = found + len(pairs), expected + by_chance
    assert found == pytest.approx(expected, abs=3 * expected**0.5) and expected > 10


def test_sex_tells_two_apart_and_one_cohort_is_compared_with_itself_once():
    twice = People([*OWN.rows, ("d", 52.9, 616.0), ("e", 54.0, 616.0)])
    assert [(p.own, p.other) for p in suspected_patients(twice, twice)[0]] == [("b", "d")]
    assert suspected_patients(twice, twice, [SharedPatient("b", "z", "id")])[0] == []
    for sexes, pairs in ((("F", "M"), 0), (("F", "F"), 1), (("F", None), 1)):
        people = People([("a", 50.0, 99.0), ("b", 50.9, 99.0)])
        people.cases()[:] = [
            replace(case, clinical=replace(case.clinical, sex=sex))
            for case, sex in zip(people.cases(), sexes, strict=True)
        ]
        assert len(suspected_patients(people, people)[0]) == pairs


@real
def test_the_name_mapping_and_age_with_days_tell_the_same():
    old = BratsTableCohort(REAL / "brats/survival_data_2018.csv")
    table, mapping = REAL / "brats/survival_data_2019.csv", REAL / "brats/name_mapping_2019.csv"
    named, unnamed = (
        shared_patients(old, BratsTableCohort(table, mapping)),
        shared_patients(old, BratsTableCohort(table)),
    )
    assert [(p.own, p.other) for p in named] == [(p.own, p.other) for p in unnamed] and len(named) == 163
    assert {p.evidence for p in named} == {"id"} and {p.evidence for p in unnamed} == {"age + days"}


@real
@pytest.mark.parametrize("year", [2017, 2018])
def test_half_of_brats2020_is_in_brats2018(year):
    own = BratsTableCohort(REAL / "brats/survival_info_2020.csv")
    found = {p.own for p in shared_patients(own, BratsTableCohort(REAL / f"brats/survival_data_{year}.csv"))}
    usable = {c.patient_id for c in own.cases() if c.clinical.extent == "gtr" and c.outcome.event}
    assert (len(found), len(own.cases())) == (163, 236)
    assert (len(found & usable), len(usable)) == (59, 118)


@real
def test_forty_patients_of_brats2020_are_upenns_and_nobody_else():
    upenn = UpennCohort(REAL / "upenn_gbm/UPENN-GBM_clinical_info_v2.1.csv")
    found = shared_patients(BratsTableCohort(REAL / "brats/survival_info_2020.csv"), upenn)
    with (REAL / "brats/overlap_brats2020_upenn.csv").open() as file:
        truth = {(row["b20"], row["upenn_id"].removesuffix("_11")) for row in csv.DictReader(file)}
    assert {(p.own, p.other) for p in found} == truth and len(truth) == 40
    assert {p.evidence for p in found} == {"age + days"}
    assert repeated_patients(upenn) == []
