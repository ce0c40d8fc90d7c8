"""Paths that no system takes and patterns that are none, wherever a configuration or a table names one."""

import pytest

from glioma_os.cohorts.besta import BestaCohort
from glioma_os.cohorts.brats import BratsCohort, BratsTableCohort
from glioma_os.cohorts.ucsf import UcsfCohort
from glioma_os.cohorts.upenn import UpennCohort
from glioma_os.data.feature_csv import read_feature_csv
from glioma_os.data.features import encoder_patients
from glioma_os.errors import ConfigError, DataError

LONG = "x" * 5000
HOSPITAL = "patient_id,age,os_days,event,t1c,flair\nBESTA-0001,60,300,1,{},a.nii\n"


@pytest.mark.parametrize("path", [LONG, f"{LONG}/{LONG}", "a\0b"])
@pytest.mark.parametrize("cohort", [UcsfCohort, UpennCohort, BestaCohort, BratsTableCohort])
def test_a_table_that_cannot_be(cohort, path):
    with pytest.raises(DataError, match="cannot be read"):
        cohort(table=path).cases()


@pytest.mark.parametrize("path", [LONG, "a\0b"])
def test_other_paths_that_cannot_be(tmp_path, path):
    with pytest.raises(ConfigError, match="cohort.root"):
        BratsCohort(path)
    with pytest.raises(ConfigError, match="features.encoder_patients"):
        encoder_patients(path, {})
    with pytest.raises(DataError, match="features.path"):
        read_feature_csv([path])
    (tmp_path / "t.csv").write_text("Brats20ID,Age,Survival_days\nB1,60,300\n")
    with pytest.raises(DataError, match="cannot be read"):
        BratsTableCohort(tmp_path / "t.csv", name_mapping=path).aliases()


def test_a_path_in_a_cell_that_cannot_be(tmp_path):
    (tmp_path / "a.nii").touch()
    (tmp_path / "t.csv").write_text(HOSPITAL.format(LONG))
    with pytest.raises(DataError, match="row 2, column t1c: no file"):
        BestaCohort(tmp_path / "t.csv").cases()


@pytest.mark.parametrize("pattern", ["[", "(", "*", "a{2,1}", 7])
def test_a_pattern_that_is_none(tmp_path, pattern):
    with pytest.raises(ConfigError, match=r"cohort\.id_pattern.*regular expression"):
        BestaCohort(tmp_path / "t.csv", id_pattern=pattern)
