"""Shared fixtures: tiny phantoms through the real door, and the real data where it is."""

import os
from pathlib import Path

import numpy as np
import pytest

from glioma_os.cohorts.synthetic import synthetic_cohort
from glioma_os.volumes.nifti import write_nifti

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_data():
    """Folder of real data; tests that need it are skipped where it is absent."""
    path = Path(os.environ.get("GLIOMA_OS_REAL_DATA", REPOSITORY.parent / "shared" / "data"))
    if not path.is_dir():
        pytest.skip("real data not here: set GLIOMA_OS_REAL_DATA")
    return path


@pytest.fixture(scope="session")
def synthetic_root(tmp_path_factory):
    return tmp_path_factory.mktemp("synthetic")


@pytest.fixture(scope="session")
def cohorts(synthetic_root):
    """Twelve-patient synthetic cohorts at 8 mm, drawn once."""
    return {
        kind: synthetic_cohort(kind, synthetic_root, patients=12, signal=0.7, spacing_mm=8.0)
        for kind in ("brats2018", "brats2020", "besta")
    }


@pytest.fixture
def affine():
    matrix = np.diag([-1.0, -1.0, 1.0, 1.0])
    matrix[1, 3] = 239
    return matrix


@pytest.fixture
def write_case(tmp_path, affine):
    """Writes one tiny BraTS-like case folder; `names` maps file token → array."""

    def write(folder, token_arrays, separator="_", suffix=".nii.gz"):
        target = tmp_path / folder
        target.mkdir(parents=True)
        for token, array in token_arrays.items():
            write_nifti(target / f"{target.name}{separator}{token}{suffix}", array, affine)
        return target

    return write


@pytest.fixture
def four_images():
    """Four int16 sequences with a brain in the middle, and a mask in the 2017–2020 coding."""

    def make(seed=0, shape=(12, 14, 10), tokens=("t1", "t1ce", "t2", "flair"), seg="seg", label_value=4):
        rng = np.random.default_rng(seed)
        brain = np.zeros(shape, bool)
        brain[2:-2, 2:-2, 2:-2] = True
        arrays = {t: (brain * rng.integers(50, 900, shape)).astype(np.int16) for t in tokens}
        label = np.zeros(shape, np.uint8)
        label[4:8, 4:9, 3:7] = 2
        label[5:7, 5:8, 4:6] = 1
        label[5, 5:7, 4] = label_value
        return {**arrays, seg: label}

    return make
