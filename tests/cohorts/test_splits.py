import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glioma_os.cohorts.splits import make_folds, share_of_patients
from glioma_os.errors import ConfigError


@given(st.integers(12, 60), st.integers(2, 5), st.integers(1, 3), st.integers(0, 99), st.integers(0, 2**32 - 1))
def test_folds_partition_patients_evenly(n, folds, repeats, seed, strata_seed):
    patients = [f"p{i % (n - 2):03d}" for i in range(n)]  # two patients have a second session
    strata = np.random.default_rng(strata_seed).integers(0, 4, n).tolist()
    made = make_folds(patients, strata, folds, repeats, seed)
    for repeat in range(repeats):
        tests = [made.test(repeat, fold) for fold in range(folds)]
        assert sorted(p for test in tests for p in test) == sorted(set(patients))
        assert max(map(len, tests)) - min(map(len, tests)) <= 1
        for fold in range(folds):
            assert not set(made.train(repeat, fold)) & set(tests[fold])
    more = make_folds(patients, strata, folds, repeats + 1, seed)
    assert more.assignments[:repeats] == made.assignments


def test_strata_are_balanced():
    patients = [f"p{i:02d}" for i in range(40)]
    made = make_folds(patients, [i % 4 == 0 for i in range(40)], 5, 1, 3)
    rare = {p for i, p in enumerate(patients) if i % 4 == 0}
    assert all(len(rare & set(made.test(0, fold))) == 2 for fold in range(5))


def test_a_smaller_share_of_patients_is_part_of_a_larger_one_whatever_the_fold():
    everyone = [f"p{i:02d}" for i in range(40)]
    shares = {fraction: share_of_patients(everyone, fraction, 3) for fraction in (0.01, 0.25, 0.5, 1.0)}
    assert [len(own) for own in shares.values()] == [1, 10, 20, 40]
    assert set(shares[0.01]) < set(shares[0.25]) < set(shares[0.5]) < set(shares[1.0]) == set(everyone)
    fold = share_of_patients(everyone[8:], 0.25, 3)
    assert fold[0] in share_of_patients(everyone[8:], 0.5, 3) and len(set(fold) & set(shares[0.25])) >= 6
    assert shares[0.25] == share_of_patients(everyone[::-1], 0.25, 3) != share_of_patients(everyone, 0.25, 4)
    for fraction in (0.0, -0.1, 1.01, float("nan")):
        with pytest.raises(ConfigError, match="finetuning.fraction"):
            share_of_patients(everyone, fraction, 3)


def test_too_few_patients():
    with pytest.raises(ConfigError, match="5 folds for 8"):
        make_folds([f"p{i}" for i in range(8)], [0] * 8, 5, 1, 0)
