"""What the report says in words and tables: rows, headline, facts, warnings, from scores and the run's summary."""

from __future__ import annotations

from typing import Any

from glioma_os.fusion.scores import Score
from glioma_os.reporting.published import MARASI_2025
from glioma_os.reporting.report import HEAD_NAMES, METRIC_NAMES, ComparisonRow, ScoreRow

SHOWN_OF_CLASSES = ("auc", "f1_weighted", "accuracy", "balanced_accuracy", "c_index", "spearman")
SHOWN_OF_TIMES = ("c_index", "c_uno", "td_auc", "ibs", "spearman")
BLOCK_NAMES = {"none": "nothing", "age": "age", "clinical": "clinical", "latents": "images"}


def block_name(block: str, clinical: str) -> str:
    """What a configuration sees, for people; `clinical` is the set that fusion adds."""
    return f"images + {clinical}" if block == "fused" else BLOCK_NAMES.get(block, block)


def shown_metrics(scores: list[Score]) -> tuple[str, ...]:
    """The metrics that a table shows, the endpoint's own first; scores.csv has all of them."""
    measured = {line.metric for line in scores}
    return tuple(name for name in (SHOWN_OF_CLASSES if "auc" in measured else SHOWN_OF_TIMES) if name in measured)


def bracket(low: float, high: float) -> str:
    """An interval, two decimals."""
    return f"[{low:.2f}, {high:.2f}]"


def difference(line: Score, age: list[str]) -> tuple[str, str]:
    """Difference to age alone and its paired interval; `age` is the (head, block) of the age-only row."""
    if [line.head, line.block] == age:
        return "reference", ""
    return f"{line.delta_to_age:+.3f}", f"[{line.delta_low:+.3f}, {line.delta_high:+.3f}]"


def headline_score(scores: list[Score]) -> Score | None:
    """The fused configuration a report leads with: the mean of the heads, which selects none, else the one there is."""
    primary = "auc" if any(line.metric == "auc" for line in scores) else "c_index"
    fused = {line.head: line for line in scores if line.metric == primary and line.block == "fused"}
    return fused.get("stack") or fused.get("auto") or next(iter(fused.values()), None)


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
                name, METRIC_NAMES[metric], f"{published.value:.2f} ({HEAD_NAMES[published.head]})",
                f"{ours.value:.2f}",
                bracket(ours.low, ours.high), f"{reference.value:.2f} {bracket(reference.low, reference.high)}",
                " ".join(difference(ours, age)), ours.n,
            )
        )  # fmt: skip
    return rows


def score_rows(
    scores: list[Score], age: list[str], best: Score | None, clinical: str
) -> tuple[tuple[str, ...], list[ScoreRow]]:
    """Metrics in column order, and one row a configuration, `best` emphasised."""
    metrics = shown_metrics(scores)
    table: dict[tuple[str, str], dict[str, Score]] = {}
    for line in scores:
        table.setdefault((line.head, line.block), {})[line.metric] = line
    rows = [
        ScoreRow(
            HEAD_NAMES.get(head, head), block_name(block, clinical),
            (*((f"{found[m].value:.2f}", bracket(found[m].low, found[m].high)) for m in metrics),
             difference(found[metrics[0]], age)),
            best is not None and (best.head, best.block) == (head, block),
        )
        for (head, block), found in table.items()
    ]  # fmt: skip
    return metrics, rows


def facts(summary: dict[str, Any], best: Score | None, exposure: str | None) -> list[tuple[str, str]]:
    """How the numbers were made: endpoint, validation, intervals, leak policy, exposure, configurations tried."""
    v = summary["validation"]
    e = summary["endpoint"]
    cuts = e.get("cuts_days") or e.get("quantiles")
    kind = "time to death" if e["kind"] == "time" else (
        f"classes cut at {cuts} days" if e.get("cuts_days") else f"classes cut at the training folds' quantiles {cuts}"
    )  # fmt: skip
    rows = [
        ("Endpoint", f"{e['name']}: {kind}; {summary['undetermined']:g} patients censored before their class was "
                     "known are left out of class metrics and counted"),
        ("Validation", f"{v['repeats']} × {v['folds']} outer folds by patient, stratified; {v['inner_folds']} inner "
                       "folds choose settings; imputation, scaling, PCA and class cuts come from the training fold"),
        ("Intervals", f"95 %, {v['replicates']} patient bootstrap replicates of out-of-fold predictions; they hold the "
                      "fitted models fixed: how far another training moves the numbers, a sweep over seed tells"),
        ("Leak policy", f"{summary['leak_policy']}; test patients the fine-tuning saw: "
                        f"{'not known' if summary['seen_by_encoder'] is None else summary['seen_by_encoder']}"),
        ("Seen by pre-training", f"{summary['seen_by_pretraining']} of {summary['patients']} patients (their images "
                                 "and masks, not their survival)"),
        ("Configurations", f"{summary['configurations']} compared, {summary['settings_tried']} settings tried inside; "
                           "the highlighted row selects no head; the best of the others flatters"),
    ]  # fmt: skip
    if summary.get("site_auc"):
        before, after = summary["site_auc"]
        rows.append(
            ("Sites", f"told from the features with AUC {before:.2f} before ComBat, {after:.2f} after (½ = not)")
        )
    if best is not None:
        rows += [("By exposure", exposure)] if exposure else []
        per = summary["patients_per_parameter"].get(f"{best.head} {best.block}")
        rows += [("Patients per parameter", f"{per} for the highlighted row, at worst")] if per else []
    return rows


def headline(best: Score, age: list[str], summary: dict[str, Any]) -> str:
    """One sentence: the number, its interval, n, and whether the images add to age."""
    name = f"{HEAD_NAMES[best.head]} on {block_name(best.block, summary['validation']['clinical'])}"
    text = f"{METRIC_NAMES[best.metric]} {best.value:.2f} {bracket(best.low, best.high)}, n = {best.n}: {name}."
    if [best.head, best.block] == age:
        return text + " No image features were used."
    verdict = (
        "the images add to age" if best.delta_low > 0
        else "worse than age alone" if best.delta_high < 0
        else "no evidence that the images add to age"
    )  # fmt: skip
    return f"{text} Δ to age alone {' '.join(difference(best, age))}: {verdict} in these patients."


def warnings(summary: dict[str, Any]) -> list[str]:
    """What a reader must know before the numbers."""
    out = []
    if summary["patients"] < 50:
        out.append(f"{summary['patients']} patients: this shows that the pipeline runs, and nothing about survival.")
    if summary["leak_policy"] != "strict":
        out.append(f"leak_policy={summary['leak_policy']}: the segmenter was fine-tuned on patients it is tested on.")
    return out
