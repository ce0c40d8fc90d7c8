"""TRIPOD+AI and CLAIM, filled with what a run knows; what only its authors know stays open and is marked."""

from __future__ import annotations

from typing import Any, NamedTuple

OPEN = "— to be filled by the authors"


class Item(NamedTuple):
    """One line: `answer` names a fact of `known_facts`, blank = only the authors can say."""

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
    Item("5a", "Sources of data", "source"),
    Item("5b", "Dates of the data"),
    Item("6a", "Setting and centres"),
    Item("6b", "Eligibility", "eligibility"),
    Item("6c", "Treatments received"),
    Item("7", "Data preparation and quality checks", "preparation"),
    Item("8a", "Outcome and its time horizon", "outcome"),
    Item("8b", "Who assessed the outcome"),
    Item("8c", "Blinding of the assessment"),
    Item("9a", "Choice of predictors", "predictors"),
    Item("9b", "Definition and measurement of predictors", "measurement"),
    Item("9c", "Blinding of predictor assessment"),
    Item("10", "Sample size", "sample_size"),
    Item("11", "Missing data", "missing"),
    Item("12a", "How data were used and partitioned", "partition"),
    Item("12b", "Handling of predictors", "handling"),
    Item("12c", "Model types, building and tuning", "building"),
    Item("12d", "Heterogeneity between clusters", "heterogeneity"),
    Item("12e", "Performance measures", "measures"),
    Item("12f", "Updating after evaluation", "updating"),
    Item("12g", "How predictions were computed for evaluation", "computed"),
    Item("13", "Class imbalance", "imbalance"),
    Item("14", "Fairness", "fairness"),
    Item("15", "Model output", "output"),
    Item("16", "Differences between development and evaluation data", "computed"),
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
    Item("20c", "Comparison with development data"),
    Item("21", "Participants and events in each analysis", "counts"),
    Item("22", "Full model specification", "specification"),
    Item("23a", "Performance with intervals", "performance"),
    Item("23b", "Heterogeneity of performance", "fairness"),
    Item("24", "Results of updating", "updating"),
    Item("25", "Interpretation"),
    Item("26", "Limitations", "limitations"),
    Item("27a", "Handling of poor or missing input in use", "missing"),
    Item("27b", "Interaction and expertise of users"),
    Item("27c", "Next steps for research"),
)
# Groups of CLAIM 2024 (Radiol Artif Intell 2024;6:e240300) that a run can speak of.
CLAIM = (
    Item("5–6", "Study design and goal", "objective"),
    Item("7–9", "Data sources, eligibility, preprocessing", "preparation"),
    Item("10–12", "Subsets, de-identification, missing data", "missing"),
    Item("13–14", "Image acquisition and protocol"),
    Item("15–19", "Reference standard and its annotators"),
    Item("20–22", "Partitions, their level and their overlap", "partition"),
    Item("23–25", "Model: inputs, outputs, initialisation", "specification"),
    Item("26–28", "Training: augmentation, hyperparameters, selection", "building"),
    Item("29–34", "Evaluation: metrics, uncertainty, robustness, external data", "measures"),
    Item("35–36", "Flow and characteristics", "flow"),
    Item("37–38", "Performance and failure analysis", "performance"),
    Item("39–40", "Limitations and implications", "limitations"),
    Item("41–44", "Registration, protocol, code, funding", "code"),
)


def known_facts(summary: dict[str, Any], headline: str, channels: str, version: str) -> dict[str, str]:
    """Fact name → sentence, from a survival run's summary."""
    v, e = summary["validation"], summary["endpoint"]
    left = ", ".join(f"{n} {reason}" for reason, n in summary["excluded"].items()) or "nobody left out"
    combat = "on" if v["combat"]["enabled"] else "off"
    kind = "time to death" if e["kind"] == "time" else f"classes cut at {e.get('cuts_days') or e.get('quantiles')}"
    return {
        "purpose": "Research on overall survival in glioma; not for diagnosis, prognosis or treatment decisions",
        "objective": "Development with internal validation (nested cross-validation)",
        "source": f"Cohort {summary['cohort']}, sequences {channels}",
        "eligibility": f"{summary['cases_read']} cases read; {left}",
        "preparation": "Strict reading (geometry, finite voxels, labels), brain box, z-scores inside the brain",
        "outcome": f"Overall survival in days; endpoint {e['name']} ({kind})",
        "predictors": f"Clinical set: {v['clinical']}; image features by the segmenter's encoder or a given table",
        "measurement": "Features come from predicted masks and latents, never from reference masks of test patients",
        "sample_size": f"{summary['patients']} patients, {summary['deaths']} deaths; patients per parameter and the "
                       "Riley line stand in the report",
        "missing": "Median of the training fold and an indicator column; nothing is filled in outside the folds",
        "partition": f"{v['repeats']} × {v['folds']} outer folds by patient, {v['inner_folds']} inner folds; leak "
                     f"policy {summary['leak_policy']}",
        "handling": f"Scaling {v['scaling']}, PCA {v['components']}; ComBat {combat}; "
                    "all learnt in the training fold",
        "building": f"{summary['configurations']} configurations, {summary['settings_tried']} settings tried inside",
        "heterogeneity": "Sites as subgroups; ComBat inside the folds where it is on",
        "measures": "AUC, F1, accuracy, Brier, Harrell's and Uno's C, dynamic AUC, integrated Brier; "
                    f"{v['replicates']} patient bootstrap replicates; paired differences to age alone",
        "updating": "None",
        "computed": "Out of fold, by models that saw neither the patient nor a twin session",
        "imbalance": "Folds are stratified; classes are not resampled",
        "fairness": "C-index by age, sex, resection, IDH, MGMT and site in the report and subgroups.csv",
        "output": "Risk (higher = worse), class probabilities, survival curve on a grid of days",
        "code": f"glioma_os {version}, Apache-2.0; the commit stands under provenance",
        "flow": f"{summary['cases_read']} read → {summary['patients']} analysed ({left})",
        "counts": f"{summary['patients']} patients, {summary['deaths']} deaths, {summary['undetermined']:g} of them "
                  "without a class",
        "specification": "Configuration, folds and checkpoints stand in the run folders",
        "performance": headline,
        "limitations": "Intervals hold the fitted models fixed; pre-training saw the images of "
                       f"{summary['seen_by_pretraining']} of these patients",
    }  # fmt: skip


def filled(items: tuple[Item, ...], facts: dict[str, str]) -> list[tuple[str, str, str]]:
    """(number, topic, answer); an item that no fact answers is marked open."""
    return [(item.number, item.topic, facts[item.answer] if item.answer else OPEN) for item in items]


def checklist_text(title: str, facts: dict[str, str]) -> str:
    """Markdown with both tables and how many items are open."""
    out = [f"# {title}", ""]
    for name, items in (("TRIPOD+AI", TRIPOD_AI), ("CLAIM 2024", CLAIM)):
        rows = filled(items, facts)
        left = sum(answer == OPEN for _, _, answer in rows)
        out += [f"## {name}: {left} of {len(rows)} items open", "", "| item | topic | this run |", "|---|---|---|"]
        out += [f"| {number} | {topic} | {answer} |" for number, topic, answer in rows] + [""]
    return "\n".join(out)


def model_card(title: str, facts: dict[str, str], notice: str) -> str:
    """Markdown model card (Mitchell 2019) of a setting."""
    parts = (
        ("Intended use", ("purpose", "objective")), ("Data", ("source", "eligibility", "preparation", "missing")),
        ("Outcome and inputs", ("outcome", "predictors", "measurement")),
        ("Training and evaluation", ("partition", "handling", "building", "measures", "computed")),
        ("Results", ("performance", "counts", "fairness")), ("Caveats", ("sample_size", "limitations")),
        ("Code", ("code",)),
    )  # fmt: skip
    lines = [f"# Model card: {title}", "", f"**{notice}**", ""]
    for name, keys in parts:
        lines += [f"## {name}", "", *(f"- {facts[key]}" for key in keys), ""]
    return "\n".join(lines)
