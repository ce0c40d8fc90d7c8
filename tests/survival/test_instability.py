import numpy as np
import pytest

from glioma_os.errors import DataError
from glioma_os.survival.instability import instability


def test_error_and_band_are_those_of_a_loop_over_patients():
    rng = np.random.default_rng(0)
    original, bootstrap = rng.random(7), rng.random((40, 7))
    bootstrap[3, 2] = np.nan
    found = instability(original, bootstrap)
    for k in range(7):
        own = bootstrap[~np.isnan(bootstrap[:, k]), k]
        assert np.isclose(found.error[k], np.mean([abs(value - original[k]) for value in own]))
        assert np.allclose([found.low[k], found.high[k]], np.percentile(own, [2.5, 97.5]))
    assert np.isclose(found.average_error, found.error.mean())


def test_models_that_agree_are_stable():
    original = np.array([0.2, 0.7])
    found = instability(original, np.tile(original, (5, 1)))
    assert found.average_error == 0 and np.array_equal(found.low, original)


def test_other_patients_or_none_are_refused():
    for original, bootstrap in ((np.ones(3), np.ones((5, 2))), (np.ones(2), np.full((5, 2), np.nan)),
                                (np.empty(0), np.empty((5, 0)))):  # fmt: skip
        with pytest.raises(DataError):
            instability(original, bootstrap)
