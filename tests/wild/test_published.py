"""Published cohorts as their archives ship them."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from glioma_os.cohorts.brats import BratsCohort, BratsTableCohort
from glioma_os.cohorts.overlap import repeated_patients
from glioma_os.cohorts.table import TableCohort
from glioma_os.cohorts.ucsf import UcsfCohort
from glioma_os.errors import DataError

REPOSITORY = Path(__file__).resolve().parents[2]
UCSF_HEADER = (
    "ID,Sex,Age at MRI,WHO CNS Grade,Final pathologic diagnosis (WHO 2021),MGMT status,MGMT index,1p/19q,IDH,"
    "1-dead 0-alive,OS,EOR,Biopsy prior to imaging,BraTS21 ID,BraTS21 Segmentation Cohort,BraTS21 MGMT Cohort"
)
IDH = ["wildtype"] * 12 + ["IDH1 p.R132H", "mutated (NOS)", "IDH1 p.Arg132His", "IDH2 p.Arg172Trp", "IDH2 p.R172K"]


def ucsf_table(path, n=150, digits=4, twins=()):
    """A made-up metadata table with the columns and spellings of the published ones."""
    rng = np.random.default_rng(0)
    rows = []
    for k in range(n):
        age, days = rng.integers(25, 85), int(np.ceil(np.exp(rng.normal(6, 0.8))))
        mgmt, extent = ["positive", "negative", "indeterminate", ""][k % 4], ["GTR", "STR", "biopsy"][k % 3]
        rest = [
            "MF"[k % 2], age, 4, '"Glioblastoma, IDH-wildtype"', mgmt, k % 17 if k % 3 else "", "intact",
            IDH[k % len(IDH)], int(k % 5 > 0), "" if k % 40 == 39 else days, extent, "No", f"BraTS2021_{k:05d}", "", "",
        ]  # fmt: skip
        rows.append(f"UCSF-PDGM-{k + 4:0{digits}d},{','.join(map(str, rest))}")
    rows += [f"UCSF-PDGM-{700 + k:0{digits}d},{rows[k].partition(',')[2]}" for k in twins]
    path.write_bytes(("\r\n".join([UCSF_HEADER, *rows]) + "\r\n").encode("utf-8-sig"))
    return path


def test_ucsf_reads_mutations_however_they_are_spelt(tmp_path):
    mutant = UcsfCohort(ucsf_table(tmp_path / "v5.csv"), idh="mutant").cases()
    wild = UcsfCohort(tmp_path / "v5.csv").cases()
    assert len(mutant) == sum("wild" not in IDH[k % len(IDH)] and k % 40 != 39 for k in range(150))
    assert len(mutant) + len(wild) == 150 - 3


def test_patients_under_two_ids_in_ucsf_v2_are_found(tmp_path):
    twins = (0, 1, 2, 3, 5, 6)
    cohort = UcsfCohort(ucsf_table(tmp_path / "v2.csv", 300, 3, twins))
    found = repeated_patients(cohort)
    truth = {(f"UCSF-PDGM-{k + 4:04d}", f"UCSF-PDGM-{700 + k:04d}") for k in twins}
    by_chance = {(p.own, p.other) for p in found} - truth
    assert truth <= {(p.own, p.other) for p in found} and len(by_chance) <= 1


def test_survival_runs_on_ucsf_from_its_table_alone(tmp_path):
    words = [
        "stage=survival", "cohort=ucsf", f"cohort.table={ucsf_table(tmp_path / 'v5.csv')}", "features=none",
        "validation.clinical=clinical", "head=logistic", "validation.repeats=1", "validation.replicates=50",
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "glioma_os", *words], capture_output=True, text=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "GLIOMA_OS_HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout
    assert "UCSF" in done.stderr.upper() and "Δ age" in done.stderr


def validation_folder(tmp_path, write_case, four_images):
    for number in (1, 2):
        images = four_images(seed=number)
        images.pop("seg")
        write_case(f"BraTS20_Validation_00{number}", images)
    (tmp_path / "survival_evaluation.csv").write_text(
        "BraTS20ID,Age,ResectionStatus\nBraTS20_Validation_001,60.5,GTR\nBraTS20_Validation_002,41.25,GTR\n"
    )
    (tmp_path / "name_mapping_validation_data.csv").write_text(
        "BraTS_2017_subject_ID,BraTS_2018_subject_ID,TCGA_TCIA_subject_ID,BraTS_2019_subject_ID,BraTS_2020_subject_ID\n"
        "NA,Brats18_CBICA_AAM_1,NA,BraTS19_CBICA_AAM_1,BraTS20_Validation_001\n"
    )
    return tmp_path


def test_the_validation_folder_of_brats2020(tmp_path, write_case, four_images):
    cohort = BratsCohort(validation_folder(tmp_path, write_case, four_images))
    first, second = cohort.cases()
    assert (first.clinical.age_years, second.clinical.age_years) == (60.5, 41.25)
    assert first.outcome is None and first.label is None and cohort.label_coding == "brats2020"
    assert cohort.aliases()["BraTS20_Validation_001"] > {"Brats18_CBICA_AAM_1", "BraTS19_CBICA_AAM_1"}
    assert [c.outcome for c in BratsTableCohort(tmp_path / "survival_evaluation.csv").cases()] == [None, None]


def test_of_several_files_that_may_be_meant_none_is_guessed(tmp_path, write_case, four_images):
    folder = validation_folder(tmp_path, write_case, four_images)
    (folder / "name_mapping_other.csv").write_text("BraTS_2020_subject_ID\n")
    with pytest.raises(DataError, match=r"name_mapping_other\.csv, name_mapping_validation.*cohort\.name_mapping"):
        BratsCohort(folder)
    (folder / "survival_evaluation.csv").rename(folder / "survival_2020.csv")
    with pytest.raises(DataError, match="Survival, Survival_days expected"):
        BratsCohort(folder, name_mapping=folder / "name_mapping_validation_data.csv").cases()


def test_lumiere_weeks_and_words(tmp_path):
    path = tmp_path / "LUMIERE-Demographics_Pathology.csv"
    header = "Patient,Survival time (weeks),Sex,Age at surgery (years),IDH (WT: wild type),IDH method,MGMT qualitative"
    path.write_text(f"{header}\nPatient-001,100,m,60,WT,na,not methylated\nPatient-002,na,f,55,na,na,na\n")
    cohort = TableCohort(path, "Patient", "Age at surgery (years)", "Survival time (weeks)", None)
    first, second = cohort.cases()
    assert (first.outcome.time_days, first.clinical.sex, second.outcome) == (700, "M", None)


def test_rhuh_is_right_censored(tmp_path):
    path = tmp_path / "clinical_info.csv"
    path.write_text("patient_id,os_days,right_censored,age\nRHUH-0001,300,no,60\nRHUH-0002,900,yes,50\n")
    cases = TableCohort(path, event_column="right_censored").cases()
    assert [case.outcome.event for case in cases] == [True, False]


def test_cfb_numbers_its_patients_and_counts_in_weeks(tmp_path):
    path = tmp_path / "CFB-GBM_clinical_data_v03_20260619.tsv"
    rows = "".join(f"{k}\t{50 + k}\t{60 + k % 20}\t{k % 3}\tM\n" for k in range(1, 40))
    path.write_text(f"id_patient\tsurvival (weeks)\tage_at_t0 (years)\twho_performance_status\tgender\n{rows}")
    cases = TableCohort(path, "id_patient", "age_at_t0 (years)", "survival (weeks)", None).cases()
    assert len(cases) == 39 and {c.case_id: c.outcome.time_days for c in cases}["1"] == 357


@pytest.mark.parametrize("table", ["survival_info_2020.csv", "survival_data_2019.csv"])
@pytest.mark.parametrize("dialect", ["utf-16", "semicolon", "tab"])
def test_real_tables_in_another_dialect_are_the_same_cohort(real_data, tmp_path, table, dialect):
    text = (real_data / "tables/brats" / table).read_text()
    if dialect == "semicolon":
        text = text.replace(",", ";").replace(".", ",")
    elif dialect == "tab":
        text = text.replace(",", "\t")
    path = tmp_path / table
    path.write_bytes(text.encode("utf-16" if dialect == "utf-16" else "utf-8"))
    assert BratsTableCohort(path).cases() == BratsTableCohort(real_data / "tables/brats" / table).cases()
