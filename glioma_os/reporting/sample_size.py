"""Riley's sample-size criteria and the size of a study."""

from __future__ import annotations

import numpy as np
import pandas as pd

from glioma_os.survival.sample_size import (
    MOST_PARAMETERS,
    Criteria,
    binary_criteria,
    r_squared_of_auc,
    r_squared_of_concordance,
    survival_criteria,
)


def training_patients(frame: pd.DataFrame) -> int:
    """Patients that train in the scarcest outer fold; 0 where there is one fold only. `frame`: one configuration."""
    left = [
        own["patient_id"].nunique() - fold["patient_id"].nunique()
        for _, own in frame.groupby("repeat")
        for _, fold in own.groupby("fold")
    ]
    return int(min(left, default=0))


def _text(needed: Criteria, parameters: int, assumed: str, precision: str, here: str) -> str:
    fourth = (
        f", mean absolute prediction error ≤ 0.05: {needed.prediction_error}" if needed.prediction_error is not None
        else ""
    )  # fmt: skip
    return (
        f"Riley's sample-size criteria for {parameters} parameters, {assumed}: shrinkage ≥ 0.9: {needed.shrinkage}, "
        f"optimism in Nagelkerke's R² ≤ 0.05: {needed.optimism}, {precision}: {needed.overall_risk}{fourth}; "
        f"largest {needed.largest} patients. {here}"
    )


def binary_text(auc: float, outcome: np.ndarray, parameters: int, training: int) -> str:
    """All criteria for a binary outcome (n,) at this AUC, and how many patients and outcomes there are."""
    share, events = float(np.mean(outcome)), int(np.sum(outcome))
    if not 0.5 < auc < 1 or not 0 < share < 1:
        return f"Riley's sample-size criteria are undefined for an AUC of {auc:.2f} and an outcome in {share:.0%}"
    needed = binary_criteria(parameters, r_squared_of_auc(auc, share), share)
    text = _text(
        needed, parameters, f"AUC {auc:.2f}, outcome in {share:.0%}", "overall risk ± 0.05", _here(outcome, training)
    )
    beyond = f" The prediction-error criterion is published for at most {MOST_PARAMETERS} parameters."
    return text + (beyond if parameters > MOST_PARAMETERS else f" {events / parameters:.1f} outcomes per parameter.")


def survival_text(
    concordance: float, time: np.ndarray, event: np.ndarray, horizon_days: float, parameters: int, training: int
) -> str:
    """All criteria for a time to event at this C, and how many patients and deaths there are."""
    share = float(np.mean(event))
    if not 0.5 < concordance < 1 or not share > 0:
        return f"Riley's sample-size criteria are undefined for a C of {concordance:.2f} and {np.sum(event)} deaths"
    rate, follow_up = float(np.sum(event) / np.sum(time)), float(np.mean(time))
    needed = survival_criteria(parameters, r_squared_of_concordance(concordance, share), rate, horizon_days, follow_up)
    text = _text(
        needed, parameters, f"C {concordance:.2f}, {rate * 365.25:.2f} deaths per patient-year",
        f"risk at {horizon_days:g} days ± 0.05", _here(event, training),
    )  # fmt: skip
    return f"{text} {np.sum(event) / parameters:.1f} deaths per parameter."


def _here(outcome: np.ndarray, training: int) -> str:
    text = f"Here: {len(outcome)} patients, {int(np.sum(outcome))} with the outcome"
    return text + (f"; the smallest training fold has {training} patients." if training else ".")
