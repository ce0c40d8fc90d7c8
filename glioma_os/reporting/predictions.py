"""What the report draws from out-of-fold predictions."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd

from glioma_os.errors import DataError, GliomaError
from glioma_os.fusion.scores import Score
from glioma_os.records import Array
from glioma_os.reporting import figures
from glioma_os.reporting.estimates import ratio_text, recalibration_text, slope_text
from glioma_os.reporting.judgement import horizon_of, of_configuration, rows_of
from glioma_os.reporting.report import METRIC_NAMES
from glioma_os.reporting.tables import InputNames, bracket
from glioma_os.survival.bootstrap import METRICS, Sample, bootstrap_weights, interval
from glioma_os.survival.calibration import recalibration, reliability
from glioma_os.survival.curves import log_rank
from glioma_os.survival.horizon import calibration_curve, calibration_slope, grouped_calibration, observed_expected
from glioma_os.survival.stratified import mean_roc
from glioma_os.survival.utility import censored_decision_curve, decision_curve

THRESHOLDS = np.linspace(0.1, 0.9, 81)


def survival_figures(
    frame: pd.DataFrame, scores: list[Score], best: Score, age: list[str], names: InputNames
) -> dict[str, str]:
    """SVG by name. `km` by predicted risk; for two classes `roc`, `calibration` and `decision` of the short class; for
    a time to event `calibration` and `decision` at the report's horizon."""
    own = of_configuration(frame, best.head, best.block)
    time_days, event, rank = (own[c].to_numpy(float) for c in ("time_days", "event", "rank"))
    event, high = event > 0.5, rank > 0.5
    name = f"{best.display_name}, {names.of_block(best.block)}"
    title = f"Kaplan–Meier by predicted risk\n{name}"
    out = {"km": figures.km_by_risk(time_days, event, high, _log_rank_p(time_days, event, high), title)}
    reference = of_configuration(frame, age[0], age[1])
    if "p_class_0" not in own:
        return out | _at_horizon(own, reference, name)
    if "p_class_2" in own or own.loc[own["cls"] >= 0, "cls"].nunique() < 2:
        return out
    out["roc"] = _roc(frame, scores, best, age, names)
    return out | _of_two_classes(own[own["cls"] >= 0], reference, name)


def _log_rank_p(time: Array, event: Array, high: Array) -> float:
    """p value of the log-rank test; NaN where there is one group or nobody died while both were at risk."""
    try:
        return log_rank(time, event, high).p
    except DataError:
        return float("nan")


def _roc(frame: pd.DataFrame, scores: list[Score], best: Score, age: list[str], names: InputNames) -> str:
    """Of the configuration and of age alone, each the average of its outer folds' curves."""
    by_name, curves = {(s.head, s.block): s for s in scores if s.metric == "auc"}, []
    for key, colour in (((best.head, best.block), figures.BLUE), ((age[0], age[1]), figures.AMBER)):
        rows = rows_of(frame, *key)
        rows = rows[rows["class"] >= 0]
        positive, risk, repeat, fold = (
            part.to_numpy() for part in (rows["class"] == 0, rows["risk"], rows["repeat"], rows["fold"])
        )
        try:
            drawn = mean_roc(positive, risk, repeat, fold)
        except DataError:  # folds of one class only: nothing to draw
            continue
        line = by_name[key]
        label = f"{line.display_name}, {names.of_block(key[1])}"
        curves.append((label, *drawn, f"AUC {line.value:.2f} {bracket(line.low, line.high)}", colour))
    return figures.roc(curves, "ROC curve: short vs long survival\n")


def _of_two_classes(known: pd.DataFrame, reference: pd.DataFrame, name: str) -> dict[str, str]:
    outcome, probability = (known["cls"] == 0).to_numpy(float), known["p_class_0"].to_numpy(float)
    bins = reliability(probability, outcome, bins=_groups(len(known)))
    text = recalibration_text(recalibration(probability, outcome), separator="\n")
    text = _wrap(f"{text}\nn = {len(known)}")
    benefit = decision_curve(outcome, probability, THRESHOLDS)
    by_age = decision_curve(outcome, reference.loc[known.index, "p_class_0"].to_numpy(float), THRESHOLDS).model
    return {
        "calibration": figures.calibration(bins, text, f"Calibration\n{name}"),
        "decision": figures.decision(
            THRESHOLDS, benefit.model, by_age, benefit.treat_all, f"Decision curve\n{name}"
        ),
    }  # fmt: skip


def _at_horizon(own: pd.DataFrame, reference: pd.DataFrame, name: str) -> dict[str, str]:
    """Calibration and decision curve of the risk of death by the report's horizon; empty where there is none."""
    days = horizon_of(own)
    if days is None:
        return {}
    column, outcome = f"alive_{days:g}", f"death by day {days:g}"
    time, event, risk = own["time_days"].to_numpy(float), own["event"].to_numpy() > 0.5, 1 - own[column].to_numpy(float)
    try:
        ratio, slope = observed_expected(time, event, risk, days), calibration_slope(time, event, risk, days)
        curve = calibration_curve(time, event, risk, days)
    except GliomaError:  # the table beside the figures says why
        return {}
    bins = grouped_calibration(time, event, risk, days, bins=_groups(len(own)))
    lines = (ratio_text(ratio), f"slope {slope_text(*slope)}", f"n = {len(own)}, {event.sum()} deaths")
    benefit = censored_decision_curve(time, event, risk, THRESHOLDS, days)
    by_age = censored_decision_curve(
        time, event, 1 - reference.loc[own.index, column].to_numpy(float), THRESHOLDS, days
    ).model
    return {
        "calibration": figures.calibration(
            bins, _wrap("\n".join(lines)), f"Calibration at {days:g} days\n{name}", outcome, curve
        ),
        "decision": figures.decision(
            THRESHOLDS, benefit.model, by_age, benefit.treat_all, f"Decision curve at {days:g} days\n{name}", outcome
        ),
    }


def _groups(n: int) -> int:
    return min(6, max(2, n // 20))


def _wrap(text: str) -> str:
    """Lines of at most 44 characters: what fits into a figure."""
    return "\n".join(part for line in text.splitlines() for part in textwrap.wrap(line, 44))


def by_exposure(frame: pd.DataFrame, best: Score, seen: list[str], seed: int) -> str | None:
    """AUC, accuracy (of classes) and C among patients that the pre-training saw and did not see, with intervals."""
    if not seen:
        return None
    own = frame[(frame["head"] == best.head) & (frame["block"] == best.block) & (frame["repeat"] == 0)]
    columns = [name for name in own if str(name).startswith("p_class_")]
    names = ("auc", "accuracy", "c_index") if columns else ("c_index",)
    parts = []
    for title, rows in (
        ("in pre-training", own[own["patient_id"].isin(seen)]),
        ("not in pre-training", own[~own["patient_id"].isin(seen)]),
    ):
        if len(rows) < 5 or not rows["event"].any():
            parts.append(f"{title}: n = {len(rows)}, too few")
            continue
        sample = Sample(
            rows["time_days"].to_numpy(), rows["event"].to_numpy() > 0, rows["risk"].to_numpy(),
            rows["class"].to_numpy(int) if columns else None, rows[columns].to_numpy(float) if columns else None,
            strata=rows["fold"].to_numpy(),
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
