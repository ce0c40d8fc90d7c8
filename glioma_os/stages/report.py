"""stage=report: the runs of a study → one HTML page."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from omegaconf import DictConfig

from glioma_os.errors import DataError
from glioma_os.fusion.scores import Score
from glioma_os.reporting import figures
from glioma_os.reporting.published import MARASI_2025
from glioma_os.reporting.report import (
    HEAD_NAMES,
    METRIC_NAMES,
    ComparisonRow,
    ScoreRow,
    SettingPage,
    render,
    write_report,
)
from glioma_os.stages.segment import dice_rows, dice_summary
from glioma_os.stages.segmenter import Segmenter
from glioma_os.stages.setting import Setting
from glioma_os.stages.survival import SHOWN, read_scores
from glioma_os.survival.bootstrap import METRICS, Sample, bootstrap_weights, interval
from glioma_os.survival.calibration import recalibration, reliability
from glioma_os.survival.curves import log_rank
from glioma_os.training.progress import say
from glioma_os.training.run import Run

BLOCK_NAMES = {
    "none": "nothing", "age": "age", "clinical": "clinical", "features": "features", "fused": "features + clinical",
}  # fmt: skip
OVERLAYS = 6


def _interval(low: float, high: float) -> str:
    return f"[{low:.2f}, {high:.2f}]"


def _difference(line: Score, age: list[str]) -> str:
    if [line.head, line.block] == age:
        return "reference"
    return f"{line.delta_to_age:+.3f} [{line.delta_low:+.3f}, {line.delta_high:+.3f}]"


def _predictions(run: Run) -> pd.DataFrame:
    return pd.read_csv(run.path("predictions.csv"), comment="#", dtype={"case_id": str, "patient_id": str})


def best_fused(scores: list[Score]) -> Score | None:
    """The fused configuration with the highest primary metric: looked up after the fact, and said so."""
    primary = "auc" if any(line.metric == "auc" for line in scores) else "c_index"
    fused = [line for line in scores if line.metric == primary and line.block == "fused"]
    return max(fused, key=lambda line: line.value) if fused else None


def comparison_rows(name: str, scores: list[Score], age: list[str]) -> list[ComparisonRow]:
    """The paper's figures of this setting beside ours, for the head the paper names."""
    rows = []
    for metric, published in MARASI_2025.get(name, {}).items():
        found = {(s.head, s.block): s for s in scores if s.metric == metric}
        ours, reference = found.get((published.head, "fused")), found.get((age[0], age[1]))
        if ours is None or reference is None:
            continue
        rows.append(
            ComparisonRow(
                name, METRIC_NAMES[metric], f"{published.value:.2f} ({HEAD_NAMES[published.head]})", f"{ours.value:.2f}",
                _interval(ours.low, ours.high), f"{reference.value:.2f} {_interval(reference.low, reference.high)}",
                _difference(ours, age), ours.n,
            )
        )  # fmt: skip
    return rows


def _score_rows(scores: list[Score], age: list[str], best: Score | None) -> tuple[tuple[str, ...], list[ScoreRow]]:
    metrics = tuple(name for name in SHOWN if any(line.metric == name for line in scores))
    table: dict[tuple[str, str], dict[str, Score]] = {}
    for line in scores:
        table.setdefault((line.head, line.block), {})[line.metric] = line
    rows = [
        ScoreRow(
            HEAD_NAMES.get(head, head), BLOCK_NAMES.get(block, block),
            tuple((f"{found[m].value:.2f}", _interval(found[m].low, found[m].high)) for m in metrics),
            _difference(found[metrics[0]], age), best is not None and (best.head, best.block) == (head, block),
        )
        for (head, block), found in table.items()
    ]  # fmt: skip
    return metrics, rows


def _of_configuration(frame: pd.DataFrame, head: str, block: str) -> pd.DataFrame:
    """Its predictions, the mean over repeats of each case."""
    own = frame[(frame["head"] == head) & (frame["block"] == block)]
    numbers = [c for c in own.columns if c.startswith("p_class")] + ["risk", "time_days", "event"]
    out = own.groupby("case_id", sort=True)[numbers].mean()
    return out.assign(cls=own[own["repeat"] == own["repeat"].min()].set_index("case_id")["class"])


def _roc_points(positive: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.metrics import roc_curve

    x, y, _ = roc_curve(positive, score)
    return x, y


def _figures(frame: pd.DataFrame, scores: list[Score], best: Score, age: list[str]) -> list[str]:
    """KM by predicted risk; for two classes also ROC and calibration of the short class."""
    own = _of_configuration(frame, best.head, best.block)
    time_days, event, risk = (own[c].to_numpy(float) for c in ("time_days", "event", "risk"))
    event = event > 0.5
    halves = risk > np.median(risk)
    p = log_rank(time_days, event, halves).p if halves.any() and not halves.all() else float("nan")
    name = f"{HEAD_NAMES[best.head]}, {BLOCK_NAMES[best.block]}"
    out = [figures.km_by_risk(time_days, event, risk, p, f"Survival by predicted risk: {name}")]
    if "p_class_1" not in own or "p_class_2" in own:
        return out
    curves = []
    by_name = {(s.head, s.block): s for s in scores if s.metric == "auc"}
    for key, colour in (((best.head, best.block), figures.BLUE), ((age[0], age[1]), figures.AMBER)):
        each = _of_configuration(frame, *key)
        known = each[each["cls"] >= 0]
        x, y = _roc_points((known["cls"] == 0).to_numpy(), known["risk"].to_numpy())
        line = by_name[key]
        label = f"{HEAD_NAMES[key[0]]}, {BLOCK_NAMES[key[1]]}"
        curves.append((label, x, y, f"AUC {line.value:.2f} {_interval(line.low, line.high)}", colour))
    out.append(figures.roc(curves, "Short against long survival"))
    known = own[own["cls"] >= 0]
    happened, chance = (known["cls"] == 0).to_numpy(float), known["p_class_0"].to_numpy(float)
    bins = reliability(chance, happened, bins=min(8, max(2, len(known) // 12)))
    fit = recalibration(chance, happened)
    text = f"slope {fit.slope:.2f} (ideal 1)\nintercept {fit.intercept:+.2f} (ideal 0)\nn = {len(known)}"
    out.append(figures.calibration(bins.predicted, bins.observed, bins.low, bins.high, text, f"Calibration: {name}"))
    return out


def _seen_strata(frame: pd.DataFrame, best: Score, seen: list[str], seed: int) -> str | None:
    """C-index among patients that the pre-training saw and did not see, each with its interval."""
    if not seen:
        return None
    own = frame[(frame["head"] == best.head) & (frame["block"] == best.block) & (frame["repeat"] == 0)]
    parts = []
    for title, rows in (("seen", own[own["patient_id"].isin(seen)]), ("not seen", own[~own["patient_id"].isin(seen)])):
        if len(rows) < 5 or not rows["event"].any():
            parts.append(f"{title}: n = {len(rows)}, too few")
            continue
        sample = Sample(rows["time_days"].to_numpy(), rows["event"].to_numpy() > 0, rows["risk"].to_numpy())
        value = METRICS["c_index"](sample)[0]
        span = interval(METRICS["c_index"](sample, bootstrap_weights(len(rows), 2000, seed)))
        parts.append(f"{title}: C {value:.2f} {_interval(span.low, span.high)}, n = {len(rows)}")
    return "; ".join(parts)


def _facts(summary: dict[str, Any], run: Run, best: Score | None, seed: int) -> list[tuple[str, str]]:
    v = summary["validation"]
    e = summary["endpoint"]
    cuts = e.get("cuts_days") or e.get("quantiles")
    kind = "time to death" if e["kind"] == "time" else (
        f"classes cut at {cuts} days" if e.get("cuts_days") else f"classes cut at the training folds' quantiles {cuts}"
    )  # fmt: skip
    facts = [
        ("Endpoint", f"{e['name']}: {kind}; {summary['undetermined']:g} patients censored before their class was known "
                     "are left out of class metrics and counted"),
        ("Validation", f"{v['repeats']} × {v['folds']} outer folds by patient, stratified; {v['inner_folds']} inner folds "
                       "choose settings; imputation, scaling, PCA and class cuts are learnt in the training fold"),
        ("Intervals", f"95 %, {v['replicates']} patient bootstrap replicates of out-of-fold predictions; they hold the "
                      "fitted models fixed"),
        ("Leak policy", f"{summary['leak_policy']}; test patients the fine-tuning saw: "
                        f"{'not known' if summary['seen_by_encoder'] is None else summary['seen_by_encoder']}"),
        ("Seen by pre-training", f"{summary['seen_by_pretraining']} of {summary['patients']} patients (their images and "
                                 "masks, not their survival)"),
        ("Configurations", f"{summary['configurations']} compared, {summary['settings_tried']} settings tried inside; the best row is "
                           "highlighted after the fact, so its value is optimistic"),
    ]  # fmt: skip
    if best is not None:
        strata = _seen_strata(_predictions(run), best, summary["pretraining_patients"], seed)
        facts += [("By exposure", strata)] if strata else []
        per = summary["patients_per_parameter"].get(f"{best.head} {best.block}")
        facts += [("Patients per parameter", f"{per} for the highlighted row, at worst")] if per else []
    return facts


def _overlays(segmenters: list[Segmenter]) -> list[tuple[str, str]]:
    from glioma_os.stages.scoring import SLICES

    out = []
    for segmenter in segmenters:
        dice = {row["case_id"]: float(row["dice_wt"]) for row in dice_rows(segmenter)}
        if not dice:
            continue
        with np.load(segmenter.run.path(SLICES), allow_pickle=False) as file:
            names = sorted(file.files, key=lambda name: dice[name])
            picks = [names[0], names[len(names) // 2], names[-1]]
            for name in dict.fromkeys(picks):
                out.append((figures.overlay(file[name]), f"{name}, WT Dice {dice[name]:.2f}"))
    return out[:OVERLAYS]


def setting_page(setting: Setting, run: Run) -> tuple[SettingPage, list[ComparisonRow]]:
    """Everything the report shows of one setting, from its runs."""
    scores, summary = read_scores(run), run.read_json("summary.json")
    age, seed = summary["age"], int(setting.cfg.seed)
    best = best_fused(scores)
    metrics, rows = _score_rows(scores, age, best)
    shown = best or next(s for s in scores if [s.head, s.block] == age and s.metric == metrics[0])
    frame = _predictions(run)
    primary = [s for s in scores if s.metric == metrics[0] and s.head != "majority"]
    lines = [
        (f"{HEAD_NAMES[s.head]}, {BLOCK_NAMES[s.block]}", s.value, s.low, s.high, s.block == "fused") for s in primary
    ]
    flow = [("cases read", summary["cases_read"])]
    flow += [(f"left out: {reason}", count) for reason, count in summary["excluded"].items()]
    flow += [("patients analysed", summary["patients"]), ("deaths", summary["deaths"])]
    dice, text, overlays, groups = _segmentation(setting)
    page = SettingPage(
        name=setting.name,
        subtitle=f"{summary['cohort']}; {', '.join(setting.channels)}" if dice or overlays else summary["cohort"],
        headline=_headline(shown, age, summary), flow=flow, metrics=metrics, scores=rows,
        facts=_facts(summary, run, best, seed), groups=groups,
        figures=_figures(frame, scores, shown, age),
        forest=figures.forest(lines, "Every configuration", METRIC_NAMES[metrics[0]], 0.5),
        dice=dice, dice_text=text, overlays=overlays, warnings=_warnings(summary),
    )  # fmt: skip
    return page, comparison_rows(setting.name, scores, age)


def _headline(best: Score, age: list[str], summary: dict[str, Any]) -> str:
    name = f"{HEAD_NAMES[best.head]} on {BLOCK_NAMES[best.block]}"
    text = f"{METRIC_NAMES[best.metric]} {best.value:.2f} {_interval(best.low, best.high)}, n = {best.n}: {name}."
    if [best.head, best.block] == age:
        return text + " No image features were used."
    verdict = (
        "the images add to age" if best.delta_low > 0
        else "worse than age alone" if best.delta_high < 0
        else "no evidence that the images add to age"
    )  # fmt: skip
    return f"{text} Δ to age alone {_difference(best, age)}: {verdict} in these patients."


def _warnings(summary: dict[str, Any]) -> list[str]:
    out = []
    if summary["patients"] < 50:
        out.append(
            f"{summary['patients']} patients: this shows that the pipeline runs, and nothing about survival."
        )
    if summary["leak_policy"] != "strict":
        out.append(f"leak_policy={summary['leak_policy']}: the segmenter was fine-tuned on patients it is tested on.")
    return out


def _segmentation(setting: Setting) -> tuple[str, str, list[tuple[str, str]], list[tuple[str, int, float, str]]]:
    """Dice figure, its sentence, overlays, and the parameter groups of fine-tuning; empty without a segmenter."""
    if setting.cfg.features.kind != "latents":
        return "", "", [], []
    from glioma_os.stages.segment import segmenters
    from glioma_os.stages.segmenter import pretrain

    parent = pretrain(setting)
    found = [s for s in segmenters(setting).values() if parent is None or s.run != parent.run]
    groups = [tuple(row) for row in found[0].run.read_json("groups.json")] if found else []
    scored = found if any(dice_rows(s) for s in found) else [parent] if parent and dice_rows(parent) else []
    rows = [row for segmenter in scored for row in dice_rows(segmenter)]
    if not rows:
        return "", "", [], groups
    values = {r: np.array([float(row[f"dice_{r}"]) for row in rows]) for r in ("wt", "tc", "et")}
    summary = dice_summary(rows, int(setting.cfg.seed))
    after = "fine-tuning" if scored == found else "pre-training"
    text = f"After {after}, on the scanner's own grid, n = {len(rows)}: " + ", ".join(
        f"{r.upper()} {summary[r][0]:.3f} {_interval(summary[r][1], summary[r][2])}" for r in values
    ) + ". A region empty in both masks counts 1, in one of them 0."  # fmt: skip
    return figures.dice_boxes(values, f"Dice, n = {len(rows)}"), text, _overlays(scored), groups


def build_report(cfg: DictConfig, settings: list[Setting], runs: dict[str, Run], study: Run) -> Path:
    """Writes report.html into the study's run."""
    pages, comparison = [], []
    for setting in settings:
        page, rows = setting_page(setting, runs[setting.name])
        pages.append(page)
        comparison += rows
    first = runs[settings[0].name].read_json("provenance.json")
    synthetic = "synthetic" in settings[0].cohort().name
    lead = (
        f"{len(pages)} setting{'s' * (len(pages) > 1)}: segment, take the encoder's latents, fuse them with age, predict; "
        "every number out of fold, with its interval, beside age alone."
    )
    if synthetic:
        lead += (
            f" The patients are drawn, not real: imaging signal {cfg.synthetic.signal} (correlation of the imaging trait "
            "with log survival), so the numbers test the pipeline and say nothing about glioma."
        )
    provenance = [
        ("Study run", study.id), *((f"Survival run {name}", run.id) for name, run in runs.items()),
        ("Seed", str(cfg.seed)), ("Code", f"glioma_os {first['glioma_os']}, commit {first['git'] or 'not a checkout'}"),
        ("Machine", f"Python {first['python']}, {first['machine']}, {first['threads']} threads"),
        ("Packages", ", ".join(f"{name} {found}" for name, found in first["packages"].items() if found)),
    ]  # fmt: skip
    created = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    path = study.path("report.html")
    write_report(path, render(f"Survival study: {cfg.name}", lead, comparison, pages, provenance, created))
    return path


def main(cfg: DictConfig) -> None:
    """Writes the report of a finished study anew."""
    from glioma_os.stages.study import settings_of, study_run
    from glioma_os.stages.survival import survive

    settings = settings_of(cfg)
    study = study_run(cfg, settings)
    if not study.done:
        raise DataError(study.folder, "no finished study of this configuration found", "Run stage=study first")
    path = build_report(cfg, settings, {setting.name: survive(setting) for setting in settings}, study)
    say("Report written")
    print(path)
