import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from glioma_os.reporting.estimates import (
    NO_SPREAD,
    SEPARATED,
    WRONG_ORDER,
    intercept_text,
    observed_expected_of_classes,
    ratio_text,
    recalibration_text,
    slope_text,
)
from glioma_os.survival.calibration import Recalibration


def test_what_has_no_estimate_says_why():
    assert slope_text(np.inf) == SEPARATED and slope_text(-np.inf) == WRONG_ORDER and slope_text(np.nan) == NO_SPREAD
    assert slope_text(0.924) == "0.92 (ideal 1)" and slope_text(0.9, 0.5, 1.3) == "0.90 [0.50, 1.30] (ideal 1)"
    assert intercept_text(0.1) == "+0.10 (ideal 0)" and "one outcome" in intercept_text(-np.inf)
    assert recalibration_text(Recalibration(0.0, np.inf)) == f"slope {SEPARATED}, intercept +0.00 (ideal 0)"


def test_observed_expected_of_classes_has_wilsons_interval():
    outcome, probability = np.arange(40) < 12, np.full(40, 0.25)
    found = observed_expected_of_classes(outcome, probability)
    low, high = proportion_confint(12, 40, method="wilson")
    assert np.allclose(found, (0.3, 0.25, 1.2, low / 0.25, high / 0.25))
    assert ratio_text(found) == f"O:E 1.20 [{low / 0.25:.2f}, {high / 0.25:.2f}] (ideal 1)"


@pytest.mark.parametrize("slope", [np.inf, np.nan, 1.0])
def test_the_text_holds_no_bare_inf_or_nan(slope):
    text = recalibration_text(Recalibration(0.0, slope), separator="\n")
    assert "inf" not in text and "nan" not in text and "\n" in text
