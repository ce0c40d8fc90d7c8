import numpy as np
import pytest

from glioma_os.errors import ConfigError, DataError, IntegrityError
from glioma_os.fusion.folds import check_partition, grouped_folds, seen_by_encoder, split_rows
from tests.fusion.doubles import RandomFolds, cohort, folds_of, table


def test_patients_never_part_and_strata_are_even():
    patients = [f"p{i // 2}" for i in range(60)]
    strata = np.repeat(np.arange(30) % 3, 2)
    fold = grouped_folds(patients, strata, 3, seed=1)
    assert np.array_equal(fold[::2], fold[1::2])
    counts = np.array([np.bincount(strata[fold == k], minlength=3) for k in range(3)])
    assert np.ptp(counts, axis=0).max() <= 2
    assert np.array_equal(fold, grouped_folds(patients, strata, 3, seed=1))
    assert not np.array_equal(fold, grouped_folds(patients, strata, 3, seed=2))


def test_too_few_folds_or_patients():
    with pytest.raises(ConfigError):
        grouped_folds(["a", "b"], np.zeros(2), 1, 0)
    with pytest.raises(DataError):
        grouped_folds(["a", "b"], np.zeros(2), 3, 0)


def test_a_patient_on_both_sides_is_an_integrity_error():
    class Leaky(RandomFolds):
        def train(self, repeat, fold):
            return self.patients

    rows, _ = cohort(20)
    with pytest.raises(IntegrityError, match="4 patients"):
        split_rows(rows, Leaky(rows.patient_ids, rows.time), 0, 0)


def test_folds_of_another_cohort_are_refused():
    rows, _ = cohort(20)
    with pytest.raises(DataError):
        split_rows(rows, RandomFolds(("x",) * 20, rows.time), 0, 0)
    with pytest.raises(DataError, match="1 cases are in no test fold, 1 in several"):
        check_partition([np.array([0, 1]), np.array([1])], 3, 0)


def test_strict_names_how_many_test_patients_the_encoder_knew():
    rows, values = cohort(20)
    tested = set(folds_of(rows).test(0, 0))
    knowing = table(rows, values, encoder_patients=sorted(tested)[:3])
    with pytest.raises(IntegrityError, match="3 of 4 test patients"):
        seen_by_encoder(knowing, tested, "fold", "strict")
    assert len(seen_by_encoder(knowing, tested, "fold", "report")) == 3
    with pytest.raises(IntegrityError, match="encoder are unknown"):
        seen_by_encoder(table(rows, values, encoder_patients=None), tested, "fold", "strict")
    with pytest.raises(ConfigError):
        seen_by_encoder(knowing, tested, "fold", "lax")
