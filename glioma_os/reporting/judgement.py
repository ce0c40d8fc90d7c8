"""What a hostile reviewer asks of one configuration: paired tests, calibration, enough patients?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from glioma_os.errors import GliomaError
from glioma_os.fusion.scores import Score
from glioma_os.records import Array
from glioma_os.survival.calibration import d_calibration, recalibration
from glioma_os.survival.delong import delong
from glioma_os.survival.resampling import nadeau_bengio
from glioma_os.survival.sample_size import r_squared_of_auc, riley_patients


def of_configuration(frame: pd.DataFrame, head: str, block: str) -> pd.DataFrame:
    """Its predictions, the mean over repeats of each case; `cls` the class in the first repeat."""
    own = frame[(frame["head"] == head) & (frame["block"] == block)]
    numbers = [c for c in own.columns if c.startswith(("p_class", "alive_"))] + ["risk", "time_days", "event"]
    out = own.groupby("case_id", sort=True)[numbers].mean()
    return out.assign(cls=own[own["repeat"] == own["repeat"].min()].set_index("case_id")["class"])


def _fold_aucs(frame: pd.DataFrame, head: str, block: str) -> Array:
    """AUC in every outer fold that has both classes; NaN in the others."""
    from sklearn.metrics import roc_auc_score

    own = frame[(frame["head"] == head) & (frame["block"] == block) & (frame["class"] >= 0)]
    return np.array([
        roc_auc_score(fold["class"] == 0, fold["risk"]) if fold["class"].nunique() == 2 else np.nan
        for _, fold in own.groupby(["repeat", "fold"], sort=True)
    ])  # fmt: skip


def _paired(frame: pd.DataFrame, best: Score, age: list[str]) -> list[tuple[str, str]]:
    ours, reference = (of_configuration(frame, *key) for key in ((best.head, best.block), (age[0], age[1])))
    known = ours["cls"] >= 0
    test = delong((ours["cls"] == 0)[known], ours["risk"][known], reference["risk"][known])
    lines = [(
        "DeLong against age", f"AUC {test.first:.3f} − {test.second:.3f} = {test.difference:+.3f} "
        f"[{test.low:+.3f}, {test.high:+.3f}], p = {test.p:.3g} (risks averaged over repeats)",
    )]  # fmt: skip
    gaps = _fold_aucs(frame, best.head, best.block) - _fold_aucs(frame, age[0], age[1])
    gaps = gaps[~np.isnan(gaps)]
    if len(gaps) > 1:
        folds = frame["fold"].nunique()
        corrected = nadeau_bengio(gaps, len(ours) * (folds - 1) / folds, len(ours) / folds)
        lines.append((
            "Fold by fold against age", f"{corrected.mean:+.3f} [{corrected.low:+.3f}, {corrected.high:+.3f}], "
            f"p = {corrected.p:.3g} (Nadeau–Bengio, {len(gaps)} folds)",
        ))  # fmt: skip
    return lines


def _enough(best: Score, prevalence: float, parameters: float) -> str:
    """The Riley line: patients a model of this size and AUC needs."""
    if not 0.5 < best.value < 1 or not 0 < prevalence < 1:
        return f"AUC {best.value:.2f}: no number of patients is enough"
    needed = riley_patients(max(round(parameters), 1), r_squared_of_auc(best.value, prevalence))
    return (
        f"{needed} patients for {max(round(parameters), 1)} parameters at this AUC (Riley 2020, shrinkage .9); "
        f"{best.n} are here"
    )


def _calibrated_curves(ours: pd.DataFrame) -> str | None:
    """D-calibration, S(T) read between horizons; beyond the last horizon a patient counts as censored there."""
    columns = [name for name in ours if str(name).startswith("alive_")]
    if len(columns) < 2:
        return None
    days = np.array([0.0] + [float(str(name).removeprefix("alive_")) for name in columns])
    curves = np.hstack([np.ones((len(ours), 1)), ours[columns].to_numpy()])
    time = ours["time_days"].to_numpy()
    alive = np.array([np.interp(own, days, curve) for own, curve in zip(time, curves, strict=True)])
    found = d_calibration(alive, (ours["event"].to_numpy() > 0.5) & (time <= days[-1]))
    return f"D-calibration χ² {found.chi2:.1f}, p = {found.p:.2g} (small p: curves are off)"


def judgement(
    frame: pd.DataFrame, best: Score, age: list[str], patients_per_parameter: float | None
) -> list[tuple[str, str]]:
    """Terms and sentences for the report. What cannot be computed is left out."""
    ours = of_configuration(frame, best.head, best.block)
    lines: list[tuple[str, str]] = []
    known = ours[ours["cls"] >= 0]
    if "p_class_1" in ours and "p_class_2" not in ours and known["cls"].nunique() == 2:
        if [best.head, best.block] != age:
            lines += _paired(frame, best, age)
        happened, chance = (known["cls"] == 0).to_numpy(float), known["p_class_0"].to_numpy(float)
        try:
            fit = recalibration(chance, happened)
            lines.append(("Calibration", f"slope {fit.slope:.2f} (ideal 1), intercept {fit.intercept:+.2f} (ideal 0)"))
        except GliomaError as fault:
            lines.append(("Calibration", fault.problem))
        if patients_per_parameter:
            parameters = best.n / patients_per_parameter
            lines.append(("Enough patients?", _enough(best, float(happened.mean()), parameters)))
    text = _calibrated_curves(ours)
    return lines + ([("Survival curves", text)] if text else [])


def subgroup_rows(lines: list[dict[str, Any]]) -> list[tuple[str, int, int, str]]:
    """Subgroup, n, deaths and C with its interval, ready to print."""
    return [
        (line["subgroup"], int(line["n"]), int(line["deaths"]),
         "too few" if np.isnan(float(line["value"])) else
         f"{float(line['value']):.2f} [{float(line['low']):.2f}, {float(line['high']):.2f}]")
        for line in lines
    ]  # fmt: skip
