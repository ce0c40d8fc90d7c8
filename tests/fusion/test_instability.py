"""Bootstrap refits of the leading row."""

import numpy as np

from glioma_os.fusion.heads.logistic import Logistic
from glioma_os.fusion.instability import bootstrap_refits
from glioma_os.fusion.preprocessing import Preparation
from glioma_os.fusion.validation import nested_validation
from glioma_os.survival.endpoints import Endpoint
from glioma_os.survival.instability import instability
from tests.fusion.doubles import cohort, folds_of, table

BINARY = Endpoint("binary", cuts_days=(300,))


def test_bootstrap_refits_keep_test_patients_apart_and_say_how_stable_predictions_are():
    rows, values = cohort(90, seed=3)
    arguments = (rows, ("age",), lambda repeat, fold: table(rows, values), [Logistic()], BINARY, folds_of(rows), 2)
    found = bootstrap_refits(*arguments, Preparation((4,)), None, 3, 3)
    how = Preparation((4,))
    result = nested_validation(*arguments, how, seed=3)
    assert np.allclose(found.original, result.named("ensemble", "fused").table.probabilities[:, 0])
    stability = instability(found.original, found.bootstrap)
    assert found.bootstrap.shape == (3, 90) and 0.01 < stability.average_error < 0.2
    again = bootstrap_refits(*arguments, Preparation((4,)), None, 3, 3)
    assert found.bootstrap.tobytes() == again.bootstrap.tobytes()
