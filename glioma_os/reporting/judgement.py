"""Statistical checks of one configuration: paired tests, calibration, sample size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from glioma_os.errors import GliomaError
from glioma_os.fusion.scores import Score
from glioma_os.records import Array
from glioma_os.reporting.estimates import (
    observed_expected_of_classes,
    ratio_text,
    recalibration_text,
    survival_calibration_text,
)
from glioma_os.reporting.sample_size import binary_text, survival_text, training_patients
from glioma_os.survival.calibration import d_calibration, recalibration
from glioma_os.survival.horizon import calibration_curve, calibration_slope, observed_expected, report_horizon
from glioma_os.survival.resampling import nadeau_bengio
from glioma_os.survival.stratified import ranks_within, stratified_delong


def rows_of(frame: pd.DataFrame, head: str, block: str) -> pd.DataFrame:
    """A configuration's predictions: one row per repeat and case, in that order."""
    own = frame[(frame["head"] == head) & (frame["block"] == block)]
    return own.sort_values(["repeat", "case_id"], kind="stable", ignore_index=True)


def of_configuration(frame: pd.DataFrame, head: str, block: str) -> pd.DataFrame:
    """Its predictions by case, the mean over repeats; `cls` the class in the first repeat.

    `rank` in (0, 1) is the share of the same outer fold with a lower risk: the risks themselves, from models of
    different folds, are not on one scale. Probabilities and survival curves are.
    """
    own = rows_of(frame, head, block)
    own = own.assign(rank=ranks_within(own["risk"].to_numpy(), own.groupby(["repeat", "fold"]).ngroup().to_numpy()))
    numbers = [c for c in own.columns if c.startswith(("p_class", "alive_"))] + ["rank", "time_days", "event"]
    out = own.groupby("case_id", sort=True)[numbers].mean()
    return out.assign(cls=own[own["repeat"] == own["repeat"].min()].set_index("case_id")["class"])


def horizon_of(ours: pd.DataFrame) -> float | None:
    """The horizon in days that the report judges curves at; None without curves or where follow-up supports none."""
    days = [float(str(name).removeprefix("alive_")) for name in ours if str(name).startswith("alive_")]
    return report_horizon(np.array(days), ours["time_days"].to_numpy()) if days else None


def _fold_aucs(frame: pd.DataFrame, head: str, block: str) -> Array:
    """AUC in every outer fold that has both classes; NaN in the others."""
    from sklearn.metrics import roc_auc_score

    own = frame[(frame["head"] == head) & (frame["block"] == block) & (frame["class"] >= 0)]
    return np.array([
        roc_auc_score(fold["class"] == 0, fold["risk"]) if fold["class"].nunique() == 2 else np.nan
        for _, fold in own.groupby(["repeat", "fold"], sort=True)
    ])  # fmt: skip


def _delong_text(frame: pd.DataFrame, best: Score, age: list[str]) -> str:
    ours, reference = rows_of(frame, best.head, best.block), rows_of(frame, age[0], age[1])
    known = (ours["class"] >= 0).to_numpy()
    short, first, second, repeat, fold = (
        part[known].to_numpy()
        for part in (ours["class"] == 0, ours["risk"], reference["risk"], ours["repeat"], ours["fold"])
    )
    try:
        test = stratified_delong(short, first, second, repeat, fold)
    except GliomaError as fault:
        return f"not estimable: {fault.problem}"
    return (
        f"AUC {test.first:.3f} − {test.second:.3f} = {test.difference:+.3f} [{test.low:+.3f}, {test.high:+.3f}], "
        f"p = {test.p:.3g} (within outer folds, averaged over repeats)"
    )


def _paired(frame: pd.DataFrame, best: Score, age: list[str]) -> list[tuple[str, str]]:
    lines = [("DeLong test vs age alone", _delong_text(frame, best, age))]
    gaps = _fold_aucs(frame, best.head, best.block) - _fold_aucs(frame, age[0], age[1])
    gaps = gaps[~np.isnan(gaps)]
    if len(gaps) > 1:
        folds, n = frame["fold"].nunique(), frame["case_id"].nunique()
        corrected = nadeau_bengio(gaps, n * (folds - 1) / folds, n / folds)
        lines.append((
            "Difference from age alone, by fold",
            f"{corrected.mean:+.3f} [{corrected.low:+.3f}, {corrected.high:+.3f}], "
            f"p = {corrected.p:.3g} (corrected resampled t-test, Nadeau & Bengio, {len(gaps)} folds)",
        ))  # fmt: skip
    return lines


def _of_two_classes(
    frame: pd.DataFrame, ours: pd.DataFrame, best: Score, age: list[str], parameters: int | None
) -> list[tuple[str, str]]:
    lines = _paired(frame, best, age) if [best.head, best.block] != age else []
    known = ours[ours["cls"] >= 0]
    outcome, probability = (known["cls"] == 0).to_numpy(float), known["p_class_0"].to_numpy(float)
    ratio = ratio_text(observed_expected_of_classes(outcome, probability))
    lines.append(("Calibration", f"{ratio}, {recalibration_text(recalibration(probability, outcome))}"))
    if parameters:
        training = training_patients(rows_of(frame, best.head, best.block))
        lines.append(("Sample size", binary_text(best.value, outcome, parameters, training)))
    return lines


def _of_times(frame: pd.DataFrame, ours: pd.DataFrame, best: Score, parameters: int | None) -> list[tuple[str, str]]:
    days = horizon_of(ours)
    if days is None:
        reason = "not estimated: no horizon of validation.horizons_days lies within the bulk of the follow-up"
        return [("Calibration", reason), ("Sample size", reason)]
    time, event = ours["time_days"].to_numpy(float), ours["event"].to_numpy() > 0.5
    risk = 1 - ours[f"alive_{days:g}"].to_numpy(float)
    try:
        found, slope = observed_expected(time, event, risk, days), calibration_slope(time, event, risk, days)
        index = calibration_curve(time, event, risk, days, replicates=0).integrated_index
        lines = [("Calibration", survival_calibration_text(days, found, slope, index))]
    except GliomaError as fault:
        lines = [("Calibration", f"not estimable at {days:g} days: {fault.problem}")]
    if parameters and best.metric == "c_index":
        training = training_patients(rows_of(frame, best.head, best.block))
        lines.append(("Sample size", survival_text(best.value, time, event, days, parameters, training)))
    return lines


def _d_calibration(ours: pd.DataFrame) -> str | None:
    """D-calibration, S(T) read between horizons; beyond the last horizon a patient counts as censored there."""
    columns = [name for name in ours if str(name).startswith("alive_")]
    if len(columns) < 2:
        return None
    days = np.array([0.0] + [float(str(name).removeprefix("alive_")) for name in columns])
    curves = np.hstack([np.ones((len(ours), 1)), ours[columns].to_numpy()])
    time = ours["time_days"].to_numpy()
    alive = np.array([np.interp(own, days, curve) for own, curve in zip(time, curves, strict=True)])
    found = d_calibration(alive, (ours["event"].to_numpy() > 0.5) & (time <= days[-1]))
    return f"D-calibration χ² {found.chi2:.1f}, p = {found.p:.2g} (a small p indicates miscalibrated curves)"


def judgement(frame: pd.DataFrame, best: Score, age: list[str], parameters: int | None = None) -> list[tuple[str, str]]:
    """Terms and sentences for the report; what cannot be estimated is said with the reason.

    `parameters`: candidate input columns of the model, for the sample size; without it there is no such line.
    """
    ours = of_configuration(frame, best.head, best.block)
    lines: list[tuple[str, str]] = []
    if "p_class_0" not in ours:
        lines = _of_times(frame, ours, best, parameters)
    elif "p_class_1" in ours and "p_class_2" not in ours and (ours["cls"] >= 0).any():
        lines = _of_two_classes(frame, ours, best, age, parameters)
    text = _d_calibration(ours)
    return lines + ([("Survival curves", text)] if text else [])


def subgroup_rows(lines: list[dict[str, Any]]) -> list[tuple[str, int, int, str]]:
    """Subgroup, n, deaths and C with its interval, ready to print."""
    return [
        (line["subgroup"], int(line["n"]), int(line["deaths"]),
         "too few" if np.isnan(float(line["value"])) else
         f"{float(line['value']):.2f} [{float(line['low']):.2f}, {float(line['high']):.2f}]")
        for line in lines
    ]  # fmt: skip
