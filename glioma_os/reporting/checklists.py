"""TRIPOD+AI and CLAIM, filled with facts of the run; what only its authors know stays open and is marked."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

OPEN = "— to be completed by the authors"
UNKNOWN = "not recorded by this run"


class Item(NamedTuple):
    """One item: `answer` names a fact of `known_facts`; blank where only the authors can say."""

    number: str
    topic: str
    answer: str = ""


# Topics in our words; the numbers are those of TRIPOD+AI (BMJ 2024;385:e078378).
TRIPOD_AI = (
    Item("1", "Title names a prediction model, its target population and outcome"),
    Item("2", "Structured abstract"),
    Item("3a", "Healthcare context and rationale"),
    Item("3b", "Target population and intended purpose", "purpose"),
    Item("3c", "Known health inequalities"),
    Item("4", "Objectives: development, evaluation or both", "objective"),
    Item("5a", "Sources of data for development and evaluation", "source"),
    Item("5b", "Dates of the data"),
    Item("6a", "Setting, number and location of centres"),
    Item("6b", "Eligibility", "eligibility"),
    Item("6c", "Treatments received"),
    Item("7", "Data preparation and quality checks", "preparation"),
    Item("8a", "Outcome and its time horizon", "outcome"),
    Item("8b", "Qualifications of the outcome assessors"),
    Item("8c", "Blinding of the assessment"),
    Item("9a", "Choice of initial predictors", "predictors"),
    Item("9b", "Definition and measurement of predictors", "measurement"),
    Item("9c", "Qualifications of the predictor assessors"),
    Item("10", "Sample size", "sample_size"),
    Item("11", "Missing data", "missing"),
    Item("12a", "How data were used and partitioned", "partition"),
    Item("12b", "Handling of predictors", "handling"),
    Item("12c", "Model types, building, tuning and internal validation", "building"),
    Item("12d", "Heterogeneity between clusters", "heterogeneity"),
    Item("12e", "Performance measures and plots", "measures"),
    Item("12f", "Updating after evaluation", "updating"),
    Item("12g", "How predictions were computed for evaluation", "computed"),
    Item("13", "Class imbalance", "imbalance"),
    Item("14", "Approaches to fairness", "fairness"),
    Item("15", "Model output", "output"),
    Item("16", "Differences between development and evaluation data", "differences"),
    Item("17", "Ethical approval and consent"),
    Item("18a", "Funding"),
    Item("18b", "Conflicts of interest"),
    Item("18c", "Protocol"),
    Item("18d", "Registration"),
    Item("18e", "Data sharing"),
    Item("18f", "Code sharing", "code"),
    Item("19", "Patient and public involvement"),
    Item("20a", "Flow of participants", "flow"),
    Item("20b", "Characteristics of participants"),
    Item("20c", "Evaluation compared with development data", "differences"),
    Item("21", "Participants and events in each analysis", "counts"),
    Item("22", "Model specification that allows predictions in new patients", "specification"),
    Item("23a", "Performance with intervals, also by subgroup", "performance"),
    Item("23b", "Heterogeneity of performance between clusters", "clusters"),
    Item("24", "Results of updating", "updating"),
    Item("25", "Interpretation"),
    Item("26", "Limitations", "limitations"),
    Item("27a", "Handling of poor or missing input in use", "use"),
    Item("27b", "Interaction and expertise of users"),
    Item("27c", "Next steps for research"),
)
# Groups of CLAIM 2024 (Radiol Artif Intell 2024;6:e240300) that a run can answer.
CLAIM = (
    Item("5–6", "Study design and goal", "objective"),
    Item("7–9", "Data sources, eligibility, preprocessing", "preparation"),
    Item("10–12", "Subsets, de-identification, missing data", "missing"),
    Item("13–14", "Image acquisition and protocol"),
    Item("15–19", "Reference standard and its annotators"),
    Item("20–22", "Partitions, their level and their overlap", "partition"),
    Item("23–25", "Model: inputs, outputs, initialisation", "output"),
    Item("26–28", "Training: augmentation, hyperparameters, selection", "building"),
    Item("29–34", "Evaluation: metrics, uncertainty, robustness, external data", "measures"),
    Item("35–36", "Flow and characteristics", "flow"),
    Item("37–38", "Performance and failure analysis", "performance"),
    Item("39–40", "Limitations and implications", "limitations"),
    Item("41–44", "Registration, protocol, code, funding", "code"),
)


def known_facts(
    summary: dict[str, Any], headline: str, channels: str, version: str, shown: Collection[str] = ()
) -> dict[str, str]:
    """Fact name → sentence, from a survival run's summary. What the summary does not prove is `UNKNOWN`.

    `shown`: the statistical checks that the report holds: `Sample size`, `Calibration`, `decision`.
    """
    v = summary["validation"]
    left = ", ".join(f"{n} {reason}" for reason, n in summary["excluded"].items()) or "none excluded"
    counts = f"{summary['patients']} patients, {summary['deaths']} deaths"
    features = "Feature values: median of the training fold. " if summary.get("feature_source") == "csv" else ""
    same_cohort = "None: development and evaluation data are folds of the same cohort"
    return {
        "purpose": "Research on overall survival in glioma; not for diagnosis, prognosis or treatment decisions",
        "objective": "Development with internal validation (nested cross-validation)",
        "eligibility": f"{summary['cases_read']} cases read; {left}",
        "sample_size": counts + (
            "; Riley's sample-size criteria are in the report" if "Sample size" in shown else ""
        ),
        "missing": f"{features}Clinical values: median of the training fold and a missingness indicator",
        "building": f"{summary['configurations']} configurations; {summary['settings_tried']} hyperparameter settings "
                    f"compared in {v['inner_folds']} inner folds",
        "updating": "None after evaluation",
        "fairness": "C-index by subgroup, where recorded, in the report and subgroups.csv",
        "differences": same_cohort,
        "code": f"glioma_os {version}, Apache-2.0; the commit, where known, is in provenance.json",
        "flow": f"{summary['cases_read']} read → {summary['patients']} analysed ({left})",
        "performance": headline,
        **_of_endpoint(summary, counts, shown), **_of_inputs(summary, channels), **_of_clusters(summary),
        **_of_pipeline(summary), **_of_intervals(summary),
    }  # fmt: skip


def _of_endpoint(summary: dict[str, Any], counts: str, shown: Collection[str]) -> dict[str, str]:
    """Outcome, output, class imbalance, counts and measures: what depends on the kind of endpoint."""
    v, e = summary["validation"], summary["endpoint"]
    days = f"predicted survival at {v['horizons_days']} days" if v.get("horizons_days") else ""
    shared = f"{v['replicates']} patient bootstrap replicates; {summary.get('contrast') or 'differences to age alone'}"
    judged = (", calibration" if "Calibration" in shown else "") + (", net benefit" if "decision" in shown else "")
    by_day = ", dynamic AUC, integrated Brier score" if days else ""
    if e["kind"] == "time":
        return {
            "outcome": f"Overall survival in days; endpoint {e['name']} (time to death)",
            "output": ", ".join(filter(None, ("Risk (higher = worse)", days))),
            "imbalance": "No classes: the outcome is a time to death",
            "counts": counts,
            "measures": f"Harrell's and Uno's C{by_day}{judged}; {shared}",
        }
    cuts = e.get("cuts_days") or e.get("quantiles")
    return {
        "outcome": f"Overall survival in days; endpoint {e['name']} (classes cut at {_cuts(summary, cuts)})",
        "output": ", ".join(filter(None, ("Risk (higher = worse), class probabilities", days))),
        "imbalance": "Folds are stratified; classes are not resampled",
        "counts": f"{counts}; class not evaluable in {summary['undetermined']:g} (censored before the cut)",
        "measures": f"AUC, F1, accuracy, Brier score, Harrell's and Uno's C{by_day}{judged}; {shared}",
    }


def _cuts(summary: dict[str, Any], cuts: list[float]) -> str:
    """Days; for quantiles also the days that they came to."""
    if summary["endpoint"].get("cuts_days"):
        return f"{cuts} days"
    days = summary.get("median_cuts_days")
    return f"the training folds' quantiles {cuts}" + (f", median over folds {days} days" if days else "")


def _of_inputs(summary: dict[str, Any], channels: str) -> dict[str, str]:
    """What is said of predictors and images, each sentence only for the source of features that it is true of."""
    v, source = summary["validation"], summary.get("feature_source")
    latents = source == "latents"
    features = {
        "latents": "latents of the segmenter's encoder", "csv": "a feature table supplied by the user", "none": "none",
    }.get(str(source), UNKNOWN)  # fmt: skip
    used = summary.get("clinical_used")
    clinical = f"set {v['clinical']}" if used is None else ", ".join(used) or "none"
    dropped = ", ".join(f"{name} ({why})" for name, why in (summary.get("clinical_dropped") or {}).items())
    combat = f"ComBat {'on' if v['combat']['enabled'] else 'off'}"
    reduction = f", PCA {v['components']}, {combat}" if source in ("latents", "csv") else ""
    return {
        "source": f"Cohort {summary['cohort']}" + (f", sequences {channels}" if latents else ""),
        "predictors": f"Clinical: {clinical}" + (f" (not used: {dropped})" if dropped else "")
                      + f". Features: {features}",
        "preparation": "Volumes are checked for geometry, finite voxels and labels, cropped to the brain and z-scored "
                       "inside it" if latents else UNKNOWN,
        "measurement": "Image features are pooled latents of the segmenter's encoder, computed from the images alone; "
                       "reference masks are not used" if latents else UNKNOWN,
        "handling": f"Scaling {v['scaling']}{reduction}; fitted in the training folds",
        "partition": f"{v['repeats']} × {v['folds']} outer folds by patient, {v['inner_folds']} inner folds"
                     + (f"; leak policy {summary['leak_policy']}" if latents else ""),
        "computed": "Out of fold: each patient is predicted by models fitted to other patients"
                    + (f"; patients in the encoder's fine-tuning data: {_encoder(summary)}" if latents else ""),
    }  # fmt: skip


def _encoder(summary: dict[str, Any]) -> str:
    known, seen = summary.get("encoder_patients"), summary.get("seen_by_encoder")
    if known == "none":
        return "none of those evaluated"
    return f"{seen} of those evaluated" if known == "known" and seen is not None else UNKNOWN


def _of_clusters(summary: dict[str, Any]) -> dict[str, str]:
    """Heterogeneity between sites, by how many are recorded."""
    sites, combat = summary.get("sites"), summary["validation"]["combat"]["enabled"]
    if sites is None:
        return {"heterogeneity": UNKNOWN, "clusters": UNKNOWN}
    if sites < 2:
        return dict.fromkeys(("heterogeneity", "clusters"), "At most one site is recorded: no clusters to compare")
    handled = "site effects removed with ComBat in the training folds" if combat else "site effects are not modelled"
    return {
        "heterogeneity": f"{sites} sites; {handled}; sites are reported as subgroups",
        "clusters": f"C-index of the {sites} sites in subgroups.csv",
    }


def _of_pipeline(summary: dict[str, Any]) -> dict[str, str]:
    """Whether others can predict with it."""
    stored = summary.get("frozen_pipeline")
    if not stored:
        return {"specification": UNKNOWN, "use": UNKNOWN}
    return {
        "specification": f"The fitted pipeline is stored in {stored}",
        "use": f"The pipeline in {stored} imputes missing clinical values as in training",
    }


def _of_intervals(summary: dict[str, Any]) -> dict[str, str]:
    target, seen = summary.get("interval_target"), summary.get("seen_by_pretraining")
    parts = ["One cohort; intervals are not corrected for the number of configurations, settings and endpoints"]
    parts += [f"they cover the {target}"] if target else []
    parts += [f"the images of {seen} of these patients were used in pre-training"] if seen else []
    return {"limitations": "; ".join(parts)}


def fill_checklist(items: tuple[Item, ...], facts: dict[str, str]) -> list[tuple[str, str, str]]:
    """(number, topic, answer); an item that no fact answers is marked open."""
    return [(item.number, item.topic, facts[item.answer] if item.answer else OPEN) for item in items]


def checklist_text(title: str, facts: dict[str, str]) -> str:
    """Markdown with both tables and how many items are open."""
    out = [f"# {title}", ""]
    for name, items in (("TRIPOD+AI", TRIPOD_AI), ("CLAIM 2024", CLAIM)):
        rows = fill_checklist(items, facts)
        left = sum(answer == OPEN for _, _, answer in rows)
        out += [f"## {name}: {left} of {len(rows)} items open", "", "| item | topic | this run |", "|---|---|---|"]
        out += [f"| {number} | {topic} | {answer} |" for number, topic, answer in rows] + [""]
    return "\n".join(out)


def model_card(title: str, facts: dict[str, str], notice: str) -> str:
    """Markdown model card (Mitchell 2019) of a study arm."""
    parts = (
        ("Intended use", ("purpose", "objective")), ("Data", ("source", "eligibility", "preparation", "missing")),
        ("Outcome and predictors", ("outcome", "predictors", "measurement")),
        ("Training and evaluation", ("partition", "handling", "building", "measures", "computed")),
        ("Results", ("performance", "counts", "fairness")), ("Limitations", ("sample_size", "limitations")),
        ("Model and code", ("output", "specification", "code")),
    )  # fmt: skip
    lines = [f"# Model card: {title}", "", f"**{notice}**", ""]
    for name, keys in parts:
        lines += [f"## {name}", "", *(f"- {facts[key]}" for key in keys), ""]
    return "\n".join(lines)
