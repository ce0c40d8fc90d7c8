"""What the report says in words and tables: rows, headline, facts, warnings, from scores and the run's summary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from glioma_os.fusion.contrasts import leading_row, verdict
from glioma_os.fusion.scores import Score
from glioma_os.reporting.published import MARASI_2025
from glioma_os.reporting.report import METRIC_NAMES, ComparisonRow, ScoreRow

SHOWN_OF_CLASSES = ("auc", "f1_weighted", "accuracy", "balanced_accuracy", "c_index", "spearman")
SHOWN_OF_TIMES = ("c_index", "c_uno", "td_auc", "ibs", "spearman")
VARIABLE_NAMES = {
    "age": "age", "sex": "sex", "kps": "KPS", "eor": "extent of resection", "idh": "IDH", "mgmt": "MGMT",
}  # fmt: skip
IMPLAUSIBLE = {"auc": 0.88, "c_index": 0.8}  # published for glioma, out of sample: AUC .6 to .8, C .6 to .75


class InputNames(NamedTuple):
    """What a report calls the inputs: the clinical variables, and the features ("images" or "features").

    `clinical` is short, for tables and figures; `variables` names every one, for sentences.
    """

    clinical: str
    features: str
    variables: str = ""

    @classmethod
    def of(cls, summary: dict[str, Any]) -> InputNames:
        """From a run's summary."""
        used = [VARIABLE_NAMES[name] for name in summary.get("clinical_used") or ["age"]]
        short = ", ".join(used) if len(used) < 3 else "clinical variables"
        features = "images" if summary.get("feature_source") == "latents" else "features"
        return cls(short, features, ", ".join(used))

    def of_block(self, block: str) -> str:
        """What a configuration uses, for people."""
        names = {"none": "none", "age": "age", "clinical": self.clinical, "latents": "images"}
        return f"{self.features} + {self.clinical}" if block == "fused" else names.get(block, block)


def shown_metrics(scores: Sequence[Score]) -> tuple[str, ...]:
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


def contrast(line: Score) -> tuple[str, str]:
    """Difference to the same model on the same clinical variables without features; blank where there is none."""
    if line.delta_to_reference != line.delta_to_reference:
        return "", ""
    return f"{line.delta_to_reference:+.3f}", f"[{line.reference_low:+.3f}, {line.reference_high:+.3f}]"


def lead_score(scores: Sequence[Score]) -> Score:
    """The row that a result leads with (fusion.contrasts), on the endpoint's own metric."""
    primary = "auc" if any(line.metric == "auc" for line in scores) else "c_index"
    rows = {(line.head, line.block): line for line in scores if line.metric == primary}
    return rows[leading_row(list(rows))]


def comparison_rows(name: str, scores: list[Score], age: list[str]) -> list[ComparisonRow]:
    """The paper's results of this arm and ours, for the head the paper names."""
    rows = []
    for metric, published in MARASI_2025.get(name, {}).items():
        found = {(s.head, s.block): s for s in scores if s.metric == metric}
        ours, reference = found.get((published.head, "fused")), found.get((age[0], age[1]))
        if ours is None or reference is None:
            continue
        rows.append(
            ComparisonRow(
                name, METRIC_NAMES[metric], f"{published.value:.2f} ({ours.display_name})",
                f"{ours.value:.2f}",
                bracket(ours.low, ours.high), f"{reference.value:.2f} {bracket(reference.low, reference.high)}",
                " ".join(difference(ours, age)), ours.n,
            )
        )  # fmt: skip
    return rows


def score_rows(
    scores: list[Score], age: list[str], best: Score, names: InputNames
) -> tuple[tuple[str, ...], list[ScoreRow]]:
    """Metrics in column order, and one row a configuration, `best` emphasised.

    The difference to age stands last, after it that to the same model without features where more than age was used.
    """
    metrics, more = shown_metrics(scores), any(line.block == "clinical" for line in scores)
    table: dict[tuple[str, str], dict[str, Score]] = {}
    for line in scores:
        table.setdefault((line.head, line.block), {})[line.metric] = line
    rows = [
        ScoreRow(
            found[metrics[0]].display_name, names.of_block(block),
            (*((f"{found[m].value:.2f}", bracket(found[m].low, found[m].high)) for m in metrics),
             difference(found[metrics[0]], age), *([contrast(found[metrics[0]])] if more else [])),
            (best.head, best.block) == (head, block),
        )
        for (head, block), found in table.items()
    ]  # fmt: skip
    return metrics, rows


def facts(summary: dict[str, Any], best: Score, exposure: str | None) -> list[tuple[str, str]]:
    """How the numbers were made: endpoint, validation, pooling, intervals, leak policy, exposure, configurations."""
    v, e = summary["validation"], summary["endpoint"]
    cuts = e.get("cuts_days") or e.get("quantiles")
    kind = "time to death" if e["kind"] == "time" else (
        f"classes cut at {cuts} days" if e.get("cuts_days") else f"classes cut at the training folds' quantiles {cuts}"
    )  # fmt: skip
    censored = "" if e["kind"] == "time" else (
        f"; class not evaluable in {summary['undetermined']:g} patients (censored before the cut), who are left out of "
        "class metrics and counted"
    )  # fmt: skip
    rows = [
        ("Endpoint", f"{e['name']}: {kind}{censored}"),
        ("Validation", f"{v['repeats']} × {v['folds']} outer folds by patient, stratified; {v['inner_folds']} inner "
                       "folds select hyperparameters; imputation, scaling, PCA and class cuts are estimated in the "
                       "training fold"),
        ("Pooling", "AUC, C and rank correlations compare only patients of the same outer fold, because the risks of "
                    "different folds' models are not on one scale; all pairs have equal weight, and repeats are "
                    "averaged"),
        ("Differences", "Paired: the same patients, folds and bootstrap replicates. The added value of the "
                        "features is the difference from the same model on the same clinical variables; the age-only "
                        "baseline ranks patients by age itself"),
        ("Intervals", f"95 %, {v['replicates']} patient bootstrap replicates of out-of-fold predictions. {COVERAGE}"),
        ("Clinical variables", _recorded(summary)),
        ("Multiple comparisons", f"{summary['configurations']} configurations, {summary['settings_tried']} "
                                 "hyperparameter settings in inner folds; the highlighted row was pre-specified. "
                                 "Intervals are not corrected for multiple comparisons: the best of the other rows is "
                                 "optimistically biased"),
    ]  # fmt: skip
    rows += _of_features(summary, exposure)
    if summary.get("site_auc"):
        before, after = summary["site_auc"]
        text = f"predicted from the features with AUC {before:.2f} before ComBat, {after:.2f} after (½ = chance)"
        rows.append(("Sites", text))
    per = summary["patients_per_parameter"].get(f"{best.head} {best.block}")
    return rows + (
        [("Patients per parameter", f"{per} for the highlighted row, in the smallest training fold")] if per else []
    )


def _recorded(summary: dict[str, Any]) -> str:
    """Each clinical variable with the share of patients in which it is recorded."""
    shares = summary.get("recorded") or {}
    texts = [
        VARIABLE_NAMES[name] + (f" (recorded in {shares[name]:.0%})" if name in shares else "")
        for name in summary.get("clinical_used") or ["age"]
    ]
    return ", ".join(texts) + "; missing values are imputed with the training median, with a missingness indicator"


# Measured by experiments/07_false_claims, table "coverage".
COVERAGE = (
    "By simulation (118 and 600 patients, experiments/07_false_claims) intervals of AUC and C cover the performance of "
    "these predictions in new patients as well as the expected performance of the whole procedure, trained on as many "
    "patients as a training fold holds; intervals of differences cover the latter"
)


def _of_features(summary: dict[str, Any], exposure: str | None) -> list[tuple[str, str]]:
    """Leak policy and exposure, where features are used at all."""
    if summary.get("feature_source", "latents") == "none":
        return []
    seen = summary["seen_by_encoder"]
    own = summary.get("feature_source", "latents") == "latents"
    data = "fine-tuning data" if own else "training data"
    rows = [("Leak policy", f"{summary['leak_policy']}; test patients in the encoder's {data}: "
                            f"{'unknown' if seen is None else seen}")]  # fmt: skip
    if summary.get("feature_source", "latents") == "latents":
        rows.append(("Pre-training exposure", f"{summary['seen_by_pretraining']} of {summary['patients']} patients "
                                              "(their images and masks, not their survival)"))  # fmt: skip
    rows += [("By exposure", exposure)] if exposure else []
    weights = summary.get("feature_weights") or []
    if weights:
        unused = sum(weight == 0 for weight in weights)
        rows.append(("Ensemble", f"weight of the models with features, chosen in the inner folds: mean "
                                 f"{sum(weights) / len(weights):.2f}, zero in {unused} of {len(weights)} fits; the "
                                 "models without features have the rest"))  # fmt: skip
    return rows


def headline(best: Score, age: list[str], summary: dict[str, Any]) -> str:
    """The number, its interval and n; what the features add to the same clinical variables; the difference to age."""
    names = InputNames.of(summary)
    listed = f" ({names.variables})" if names.clinical != names.variables and best.block != "age" else ""
    text = (
        f"{METRIC_NAMES[best.metric]} {best.value:.2f} {bracket(best.low, best.high)}, n = {best.n}: "
        f"{best.display_name} on {names.of_block(best.block)}{listed}."
    )
    if [best.head, best.block] == age:
        return f"{text} No features were used."
    if best.block != "fused":
        return f"{text} No features were used. Difference from age alone {' '.join(difference(best, age))}."
    found = verdict(best.reference_low, best.reference_high)
    said = {
        "gain": f"the {names.features} improve on {names.clinical}",
        "loss": f"worse with the {names.features} than without",
        "none shown": f"no gain from the {names.features} was shown",
    }[found]
    if found == "gain" and (best.value > IMPLAUSIBLE.get(best.metric, 1) or summary.get("suspected_columns")):
        said = "a leak is suspected (see the warnings), so this is no evidence of a gain"
    base = "age alone" if best.reference.endswith(" age") else f"the same model on {names.clinical} alone"
    text += f" Difference from {base} {' '.join(contrast(best))}: {said} in these patients."
    if base != "age alone":
        text += f" Difference from age alone {' '.join(difference(best, age))}."
    return text


def contrast_text(best: Score, names: InputNames) -> str:
    """What the headline's difference compares, for checklists."""
    if not best.reference:
        return "differences to age alone"
    if best.reference.endswith(" age"):
        return "paired differences to age alone"
    return f"paired differences to age alone and to the same model on {names.clinical} alone"


def warnings(summary: dict[str, Any], best: Score | None = None) -> list[str]:
    """What a reader must know before the numbers."""
    out = []
    if summary["patients"] < 50:
        out.append(
            f"{summary['patients']} patients: this shows that the pipeline runs and is no evidence about survival."
        )
    if best is not None and best.value > IMPLAUSIBLE[best.metric]:
        out.append(
            f"{METRIC_NAMES[best.metric]} {best.value:.2f} is far above what has been published for glioma. Check "
            "for leakage: columns that contain the outcome, or that were selected by it outside the folds."
        )
    if summary.get("suspected_columns"):
        reason = summary["suspected_columns"]["reason"]
        out.append(f"A leak from these patients' outcome into the features is suspected: {reason}.")
    if summary["leak_policy"] == "paper_like":
        out.append("leak_policy=paper_like: the segmenter was fine-tuned on test patients.")
    if summary["seen_by_encoder"]:
        out.append(f"{summary['seen_by_encoder']} of the evaluated patients were in the encoder's training data.")
    if summary.get("feature_source") == "csv" and summary["seen_by_encoder"] is None:
        out.append(
            "The training patients of the features' encoder are unknown: they may include some of these patients."
        )
    dropped = (summary.get("clinical_dropped") or {}).items()
    return out + [f"{VARIABLE_NAMES[name]} is not used: {reason}." for name, reason in dropped]
