# ruff: noqa: E501 (rows of tables)
"""The two public cohorts beside BraTS, from tables in their own grammar."""

import os
from collections import Counter
from pathlib import Path

import pytest

from glioma_os.cohorts.ucsf import UcsfCohort
from glioma_os.cohorts.upenn import UpennCohort
from glioma_os.errors import ConfigError, DataError
from glioma_os.records import Extent, Modality

REAL = Path(os.environ.get("GLIOMA_OS_REAL_DATA", Path(__file__).parents[2] / "../shared/data")) / "tables/upenn_gbm"
UPENN = """ID,Gender,Age_at_scan_years,Survival_from_surgery_days_UPDATED,Survival_Status,Survival_Censor,IDH1,MGMT,KPS,GTR_over90percent
UPENN-GBM-00001_11,F,52.16,960,Deceased,Not Available,Wildtype,Methylated,90,Y
UPENN-GBM-00002_11,M,61.3,Not Available,Alive,2291,NOS/NEC,Indeterminate,Not Available,N
UPENN-GBM-00002_21,M,62.3,Not Available,Alive,1900,NOS/NEC,Indeterminate,Not Available,Not Applicable
UPENN-GBM-00003_11,M,70,Not Available,Deceased - uncertain date of death,300,Mutated,Unmethylated,70,Not Applicable
UPENN-GBM-00004_11,F,40.5,Not Available,Lost to Follow-up,412,Wildtype,Not Available,Not Available,Not Available
"""
UCSF = """ID,Sex,Age at MRI,WHO CNS Grade,Final pathologic diagnosis (WHO 2021),MGMT status,IDH,1-dead 0-alive,OS,EOR,BraTS21 ID
UCSF-PDGM-004,M,66,4,"Glioblastoma, IDH-wildtype",negative,wildtype,1,1303,STR,BraTS2021_00097
UCSF-PDGM-004_FU007d,M,66,4,"Glioblastoma, IDH-wildtype",negative,wildtype,1,1303,STR,
UCSF-PDGM-005,F,80,4,"Glioblastoma, IDH-wildtype",indeterminate,wildtype,0,274,biopsy,
UCSF-PDGM-007,M,50,4,"Astrocytoma",positive,IDH1 p.R132H mutated,0,900,GTR,
UCSF-PDGM-008,M,50,3,"Astrocytoma",positive,wildtype,0,900,GTR,
UCSF-PDGM-009,M,50,4,"Glioblastoma, IDH-wildtype",,wildtype,1,,GTR,
"""


def written(tmp_path, text):
    path = tmp_path / "table.csv"
    path.write_text(text)
    return path


def test_upenn_keeps_baselines_and_reads_both_kinds_of_time(tmp_path):
    cohort = UpennCohort(written(tmp_path, UPENN))
    first, second, fourth = cohort.cases()
    assert (first.outcome.time_days, first.outcome.event, first.clinical.extent) == (960, True, Extent.GTR)
    assert first.clinical.mgmt_methylated is True and first.clinical.kps == 90 and first.clinical.idh_mutant is False
    assert (second.patient_id, second.outcome.time_days, second.outcome.event) == ("UPENN-GBM-00002", 2291, False)
    assert second.clinical.idh_mutant is None and second.clinical.mgmt_methylated is None
    assert fourth.outcome.time_days == 412 and not fourth.outcome.event and fourth.clinical.extent is None
    assert dict(cohort.excluded()) == {
        "UPENN-GBM-00002_21": "follow-up scan",
        "UPENN-GBM-00003_11": "date of death uncertain",
    }


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("Deceased,Not", "Gone,Not", "'Gone'"),
        (",960,", ",Not Available,", "row 2.*death without a time"),
        ("960,Deceased", "960,Alive", "'Alive' beside a day of death"),
        ("960,Deceased", "960,Not Available", "beside a day of death"),
        (",960,", ",-1,", "row 2.*'-1'"),
        ("52.16", "fifty", "row 2.*fifty"),
        ("UPENN-GBM-00002_21", "UPENN-GBM-00002_31", "UPENN-GBM-00002_31"),
        ("960,", "nine,", "'nine'"),
        ("UPENN-GBM-00001_11", "UPENN-1", "UPENN-1"),
        ("UPENN-GBM-00003_11", "UPENN-GBM-00001_11", "row 2"),
        ("Methylated,90", "Maybe,90", "MGMT"),
    ],
)
def test_what_is_not_upenns_grammar_is_named(tmp_path, old, new, words):
    with pytest.raises(DataError, match=words):
        UpennCohort(written(tmp_path, UPENN.replace(old, new))).cases()


def test_upenns_first_table_knows_deaths_only(tmp_path):
    header = "ID,Gender,Age_at_scan_years,Survival_from_surgery_days"
    rows = "UPENN-GBM-00001_11,F,52.1,960\nUPENN-GBM-00002_11,F,52.1,Not Available\n"
    cohort = UpennCohort(written(tmp_path, f"{header}\n{rows}"))
    (case,) = cohort.cases()
    assert (case.outcome.time_days, case.outcome.event) == (960, True)
    assert cohort.excluded() == [("UPENN-GBM-00002_11", "no survival recorded")]


def test_upenns_names_elsewhere_come_from_a_crosswalk(tmp_path):
    path = tmp_path / "crosswalk.csv"
    path.write_text("BraTS2021,Collection,Local\nBraTS2021_00007,UPENN-GBM,UPENN-GBM-00001_11\nBraTS2021_00008,x,y\n")
    aliases = UpennCohort(written(tmp_path, UPENN), crosswalk=path).aliases()
    assert aliases["UPENN-GBM-00001"] == {
        "UPENN-GBM-00001", "UPENN-GBM-00001_11", "UPENN-GBM-00001_21", "BraTS2021_00007",
    }  # fmt: skip
    assert not [name for name in aliases["UPENN-GBM-00002"] if "BraTS" in name]


def test_upenn_images_are_found_in_their_folders(tmp_path):
    folder = tmp_path / "images_structural" / "UPENN-GBM-00001_11"
    folder.mkdir(parents=True)
    for word in ("T1", "T1GD", "T2", "FLAIR"):
        (folder / f"UPENN-GBM-00001_11_{word}.nii.gz").touch()
    mask = tmp_path / "automated_segm/UPENN-GBM-00001_11_automated_approx_segm.nii.gz"
    mask.parent.mkdir()
    mask.touch()
    cohort = UpennCohort(written(tmp_path, UPENN), tmp_path)
    (case,) = cohort.cases()
    assert set(case.images) == set(Modality) and case.label == mask
    assert Counter(reason for _, reason in cohort.excluded())["no images"] == 2


def test_ucsf_filters_grade_and_idh_and_knows_its_brats_ids(tmp_path):
    cohort = UcsfCohort(written(tmp_path, UCSF))
    assert [case.patient_id for case in cohort.cases()] == ["UCSF-PDGM-0004", "UCSF-PDGM-0005"]
    assert cohort.cases()[0].outcome.event and not cohort.cases()[1].outcome.event
    assert cohort.cases()[1].clinical.extent is Extent.BIOPSY
    assert cohort.aliases()["UCSF-PDGM-0004"] == {"UCSF-PDGM-0004", "UCSF-PDGM-004", "BraTS2021_00097"}
    assert dict(cohort.excluded()) == {
        "UCSF-PDGM-004_FU007d": "follow-up exam",
        "UCSF-PDGM-007": "IDH not wildtype",
        "UCSF-PDGM-008": "WHO grade not in [4]",
        "UCSF-PDGM-009": "no survival recorded",
    }
    assert len(UcsfCohort(written(tmp_path, UCSF), grades=(), idh=None).cases()) == 4
    with pytest.raises(DataError, match="IDH"):
        UcsfCohort(written(tmp_path, UCSF.replace("IDH1 p.R132H mutated", "perhaps"))).cases()


@pytest.mark.parametrize(
    ("text", "mutant"),
    [("R132H", True), ("IDH2 p.R172K", True), ("IDH1 p.Arg132His", True), ("IDH2 p.Arg172Trp", True),
     ("mutated (NOS)", True), ("wildtype", False)],
)  # fmt: skip
def test_ucsf_names_the_mutation(tmp_path, text, mutant):
    table = written(tmp_path, UCSF.replace("IDH1 p.R132H mutated", text))
    cases = {case.case_id: case for case in UcsfCohort(table, grades=(), idh=None).cases()}
    assert cases["UCSF-PDGM-0007"].clinical.idh_mutant is mutant


def test_ucsf_with_three_and_four_digits_is_one_patient(tmp_path):
    with pytest.raises(DataError, match="UCSF-PDGM-0004 of .*row 2 found again"):
        UcsfCohort(written(tmp_path, UCSF.replace("UCSF-PDGM-005", "UCSF-PDGM-0004"))).cases()


@pytest.mark.parametrize("kind", [UpennCohort, UcsfCohort])
def test_no_table_is_a_sentence(kind):
    with pytest.raises(ConfigError, match=r"cohort\.table.*GLIOMA_OS_"):
        kind(None)
    with pytest.raises(ConfigError, match="idh"):
        UcsfCohort("x.csv", idh="unclear")


@pytest.mark.skipif(not REAL.is_dir(), reason="no real tables under GLIOMA_OS_REAL_DATA")
def test_the_real_upenn_table_has_608_baselines_and_585_deaths():
    cohort = UpennCohort(REAL / "UPENN-GBM_clinical_info_v2.1.csv")
    assert (len(cohort.cases()), sum(case.outcome.event for case in cohort.cases())) == (608, 585)
    assert Counter(reason for _, reason in cohort.excluded()) == {"follow-up scan": 60, "date of death uncertain": 3}
