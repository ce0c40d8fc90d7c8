"""Estimates as text: what cannot be estimated is said with the reason, the same way everywhere."""

from __future__ import annotations

import numpy as np

from glioma_os.survival.calibration import Recalibration, wilson
from glioma_os.survival.horizon import ObservedExpected, Slope

SEPARATED = "not estimable: perfect separation of the outcomes"
WRONG_ORDER = f"{SEPARATED}, in the wrong order"
NO_SPREAD = "not estimable: constant predictions, or one outcome only"


def slope_text(slope: float, low: float = float("nan"), high: float = float("nan")) -> str:
    """A calibration slope with its interval where there is one, or why it has no estimate."""
    if np.isnan(slope):
        return NO_SPREAD
    if np.isinf(slope):
        return SEPARATED if slope > 0 else WRONG_ORDER
    return f"{slope:.2f}" + (f" [{low:.2f}, {high:.2f}]" if np.isfinite(low) else "") + " (ideal 1)"


def intercept_text(intercept: float) -> str:
    """A calibration intercept, or why it has no estimate."""
    return f"{intercept:+.2f} (ideal 0)" if np.isfinite(intercept) else "not estimable: one outcome only"


def recalibration_text(fit: Recalibration, separator: str = ", ") -> str:
    """Slope and intercept."""
    return f"slope {slope_text(fit.slope)}{separator}intercept {intercept_text(fit.intercept)}"


def observed_expected_of_classes(outcome: np.ndarray, probability: np.ndarray) -> ObservedExpected:
    """O:E of predicted probabilities (n,) of a binary outcome, with Wilson's interval of the observed share."""
    n, yes = np.array([len(outcome)]), np.array([np.sum(outcome)], float)
    (low,), (high,) = wilson(yes, n)
    observed, expected = float(yes[0] / n[0]), float(np.mean(probability))
    return ObservedExpected(observed, expected, observed / expected, low / expected, high / expected)


def ratio_text(found: ObservedExpected) -> str:
    """O:E with its interval."""
    return f"O:E {found.ratio:.2f} [{found.low:.2f}, {found.high:.2f}] (ideal 1)"


def survival_calibration_text(horizon_days: float, found: ObservedExpected, slope: Slope, index: float) -> str:
    """Calibration at a horizon, one sentence."""
    return (
        f"at {horizon_days:g} days: observed risk {found.observed:.2f} (Kaplan–Meier), mean predicted "
        f"{found.expected:.2f}, {ratio_text(found)}, slope {slope_text(*slope)}, integrated calibration index "
        f"{index:.3f} (ideal 0)"
    )
