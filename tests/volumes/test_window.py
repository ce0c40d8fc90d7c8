import numpy as np
import pytest

from glioma_os.fast import plain
from glioma_os.volumes.window import WindowView, z_scores


@pytest.mark.parametrize("flips", [(False, False, False), (True, False, True), (False, True, True)], ids=str)
def test_a_window_is_that_of_the_plain_twin(flips):
    rng = np.random.default_rng(0)
    voxels = rng.integers(0, 900, (2, 40, 9, 11)).astype(np.int16) * (rng.random((2, 40, 9, 11)) > 0.3)
    view, found = WindowView(flips, gain=1.1, offset=-0.05), []
    for enabled in (False, True):
        out = np.full((2, 42, 8, 12), np.nan, np.float32)
        with plain(enabled):
            z_scores(voxels, [1, 0], np.array([400.0, 500.0]), np.array([0.005, 0.01]), (-1, 2, 1), view, out)
        found.append(out)
    assert np.allclose(*found, atol=1e-5)
