"""What the report draws from out-of-fold predictions."""

from __future__ import annotations

import numpy as np
import pandas as pd

from glioma_os.fusion.scores import Score
from glioma_os.records import Array
from glioma_os.reporting import figures
from glioma_os.reporting.judgement import of_configuration
from glioma_os.reporting.report import HEAD_NAMES, METRIC_NAMES
from glioma_os.reporting.tables import block_name, bracket
from glioma_os.survival.bootstrap import METRICS, Sample, bootstrap_weights, interval
from glioma_os.survival.calibration import recalibration, reliability
from glioma_os.survival.curves import log_rank
from glioma_os.survival.utility import decision_curve

THRESHOLDS = np.linspace(0.1, 0.9, 81)


def _roc_points(positive: Array, score: Array) -> tuple[Array, Array]:
    from sklearn.metrics import roc_curve

    x, y, _ = roc_curve(positive, score)
    return x, y


def survival_figures(frame: pd.DataFrame, scores: list[Score], best: Score, age: list[str], clinical: str) -> list[str]:
    """KM by predicted risk; for two classes also ROC and calibration of the short class."""
    own = of_configuration(frame, best.head, best.block)
    time_days, event, risk = (own[c].to_numpy(float) for c in ("time_days", "event", "risk"))
    event = event > 0.5
    halves = risk > np.median(risk)
    p = log_rank(time_days, event, halves).p if halves.any() and not halves.all() else float("nan")
    name = f"{HEAD_NAMES[best.head]}, {block_name(best.block, clinical)}"
    out = [figures.km_by_risk(time_days, event, risk, p, f"Survival by predicted risk\n{name}")]
    if "p_class_1" not in own or "p_class_2" in own:
        return out
    curves = []
    by_name = {(s.head, s.block): s for s in scores if s.metric == "auc"}
    for key, colour in (((best.head, best.block), figures.BLUE), ((age[0], age[1]), figures.AMBER)):
        each = of_configuration(frame, *key)
        known = each[each["cls"] >= 0]
        x, y = _roc_points((known["cls"] == 0).to_numpy(), known["risk"].to_numpy())
        line = by_name[key]
        label = f"{HEAD_NAMES[key[0]]}, {block_name(key[1], clinical)}"
        curves.append((label, x, y, f"AUC {line.value:.2f} {bracket(line.low, line.high)}", colour))
    out.append(figures.roc(curves, "Short against long survival\n"))
    known = own[own["cls"] >= 0]
    happened, chance = (known["cls"] == 0).to_numpy(float), known["p_class_0"].to_numpy(float)
    bins = reliability(chance, happened, bins=min(6, max(2, len(known) // 20)))
    fit = recalibration(chance, happened)
    text = f"slope {fit.slope:.2f} (ideal 1)\nintercept {fit.intercept:+.2f} (ideal 0)\nn = {len(known)}"
    out.append(figures.calibration(bins.predicted, bins.observed, bins.low, bins.high, text, f"Calibration\n{name}"))
    benefit = decision_curve(happened, chance, THRESHOLDS)
    reference = of_configuration(frame, age[0], age[1]).loc[known.index, "p_class_0"].to_numpy(float)
    by_age = decision_curve(happened, reference, THRESHOLDS).model
    out.append(figures.decision(THRESHOLDS, benefit.model, by_age, benefit.treat_all, f"Decision curve\n{name}"))
    return out


def by_exposure(frame: pd.DataFrame, best: Score, seen: list[str], seed: int) -> str | None:
    """AUC, accuracy (of classes) and C among patients that the pre-training saw and did not see, with intervals."""
    if not seen:
        return None
    own = frame[(frame["head"] == best.head) & (frame["block"] == best.block) & (frame["repeat"] == 0)]
    chances = [name for name in own if str(name).startswith("p_class_")]
    names = ("auc", "accuracy", "c_index") if chances else ("c_index",)
    parts = []
    for title, rows in (("seen", own[own["patient_id"].isin(seen)]), ("not seen", own[~own["patient_id"].isin(seen)])):
        if len(rows) < 5 or not rows["event"].any():
            parts.append(f"{title}: n = {len(rows)}, too few")
            continue
        sample = Sample(
            rows["time_days"].to_numpy(), rows["event"].to_numpy() > 0, rows["risk"].to_numpy(),
            rows["class"].to_numpy(int) if chances else None, rows[chances].to_numpy(float) if chances else None,
        )  # fmt: skip
        weights = bootstrap_weights(len(rows), 2000, seed)
        texts = [_of_stratum(name, sample, weights) for name in names]
        parts.append(f"{title}: {', '.join(texts)}, n = {len(rows)}")
    return "; ".join(parts)


def _of_stratum(name: str, sample: Sample, weights: Array) -> str:
    metric, title = METRICS[name], METRIC_NAMES[name]
    value = metric(sample, np.ones((1, len(sample.time))))[0]
    if np.isnan(value):
        return f"{title} undefined"
    return f"{title} {value:.2f} {bracket(*interval(metric(sample, weights))[:2])}"
