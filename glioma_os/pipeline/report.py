"""The runs of a study as one HTML page, with its checklists and model cards."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from glioma_os import NOTICE, __version__
from glioma_os.fusion.scores import Score
from glioma_os.pipeline.arm import Arm
from glioma_os.pipeline.features.latents import LatentFeatures
from glioma_os.pipeline.segmenter import Segmenter
from glioma_os.pipeline.workspace import Workspace
from glioma_os.reporting import figures
from glioma_os.reporting.checklists import TRIPOD_AI, checklist_text, fill_checklist, known_facts, model_card
from glioma_os.reporting.judgement import judgement, subgroup_rows
from glioma_os.reporting.predictions import by_exposure, survival_figures
from glioma_os.reporting.report import METRIC_NAMES, ArmPage, ComparisonRow, render, write_report
from glioma_os.reporting.result_files import (
    INSTABILITY,
    PREDICTIONS,
    SCORES,
    SUBGROUPS,
    dice_summary,
    read_instability,
    read_predictions,
    read_rows,
    read_scores,
)
from glioma_os.reporting.tables import (
    InputNames,
    bracket,
    comparison_rows,
    facts,
    headline,
    lead_score,
    score_rows,
    warnings,
)
from glioma_os.survival.instability import instability
from glioma_os.training.run import Run
from glioma_os.volumes.atomic import atomic_write

REPORT = "report.html"
OVERLAYS = 6


def _predictions(run: Run) -> pd.DataFrame:
    return read_predictions(run.path(PREDICTIONS))


def _overlays(segmenters: list[Segmenter]) -> list[tuple[str, str]]:
    from glioma_os.pipeline.scoring import SLICES

    out = []
    for segmenter in segmenters:
        dice = {row["case_id"]: float(row["dice_wt"]) for row in segmenter.dice_rows()}
        if not dice:
            continue
        with np.load(segmenter.run.path(SLICES), allow_pickle=False) as file:
            names = sorted(file.files, key=lambda name: dice[name])
            picks = [names[0], names[len(names) // 2], names[-1]]
            for name in dict.fromkeys(picks):
                out.append((figures.overlay(file[name]), f"{name}, WT Dice {dice[name]:.2f}"))
    return out[:OVERLAYS]


def arm_page(workspace: Workspace, arm: Arm, run: Run) -> tuple[ArmPage, list[ComparisonRow], dict[str, str]]:
    """Everything the report shows of one arm, from its runs; the facts are those of its checklists."""
    scores, summary = read_scores(run.path(SCORES)), run.read_json("summary.json")
    age, names, best = summary["age"], InputNames.of(summary), lead_score(scores)
    metrics, rows = score_rows(scores, age, best, names)
    frame = _predictions(run)
    exposure = by_exposure(frame, best, summary["pretraining_patients"], arm.seed)
    primary = [s for s in scores if s.metric == metrics[0] and s.head != "majority"]
    lines = [
        (f"{s.display_name}, {names.of_block(s.block)}", s.value, s.low, s.high, s.block == "fused") for s in primary
    ]
    flow = [("cases read", summary["cases_read"])]
    flow += [(f"excluded: {reason}", count) for reason, count in summary["excluded"].items()]
    flow += [("patients analysed", summary["patients"]), ("deaths", summary["deaths"])]
    segmentation = _segmentation(workspace, arm)
    drawn, stability = _instability(run)
    figured = survival_figures(frame, scores, best, age, names)
    checked = judgement(frame, best, age, summary["columns"].get(f"{best.head} {best.block}"))
    shown_terms = {term for term, text in checked if not text.startswith("not estima")} | set(figured)
    answers = _facts_of(arm, run, shown_terms)
    page = ArmPage(
        name=arm.name,
        subtitle="; ".join([summary["cohort"], *([arm.features.reads] if segmentation.dice else [])]),
        headline=headline(best, age, summary), flow=flow, metrics=metrics, scores=rows,
        facts=facts(summary, best, exposure), groups=segmentation.groups,
        figures=[*figured.values(), *drawn],
        forest=figures.forest(lines, "All configurations", METRIC_NAMES[metrics[0]], 0.5),
        dice=segmentation.dice, dice_text=segmentation.text, overlays=segmentation.overlays,
        warnings=warnings(summary, best),
        judgement=[
            *checked,
            ("Prediction instability", stability),
        ],
        subgroups=subgroup_rows(_subgroups(run, best)), checklist=fill_checklist(TRIPOD_AI, answers),
    )  # fmt: skip
    return page, comparison_rows(arm.name, scores, age), answers


def _instability(run: Run) -> tuple[list[str], str]:
    """Figure and sentence on bootstrap refits; no figure where none were asked for."""
    refits = read_instability(run.path(INSTABILITY))
    if refits is None or np.isnan(refits).all():
        return [], "not measured: validation.instability=20 refits the model to 20 bootstrap samples"
    error = instability(refits[0], refits[1:]).average_error
    text = (
        f"mean absolute difference {error:.3f} between a patient's predicted probability and those of "
        f"{len(refits) - 1} models refitted to bootstrap samples of the training patients (Riley & Collins 2023)"
    )
    return [figures.instability(refits[0], refits[1:], "Prediction instability")], text


def _subgroups(run: Run, shown: Score) -> list[dict[str, str]]:
    return [row for row in read_rows(run.path(SUBGROUPS)) if (row["head"], row["block"]) == (shown.head, shown.block)]


def _facts_of(arm: Arm, run: Run, shown: set[str]) -> dict[str, str]:
    """What the checklists and the model card are filled with; `shown`: the checks that the page holds."""
    summary, scores = run.read_json("summary.json"), read_scores(run.path(SCORES))
    lead = lead_score(scores)
    return known_facts(
        summary, headline(lead, summary["age"], summary), arm.features.reads or "none", __version__, shown
    )


class Segmentation(NamedTuple):
    """Dice figure, its sentence, overlays, and the parameter groups of fine-tuning; empty without a segmenter."""

    dice: str = ""
    text: str = ""
    overlays: list[tuple[str, str]] = []  # noqa: RUF012  # never changed
    groups: list[tuple[str, int, float, str]] = []  # noqa: RUF012


def _segmentation(workspace: Workspace, arm: Arm) -> Segmentation:
    if not isinstance(arm.features, LatentFeatures):
        return Segmentation()
    plan, subjects = arm.features.plan, arm.subjects(workspace)
    parent = plan.pretrained(workspace)
    segmenters = plan.segmenters(workspace, arm.cohort, subjects.folds, arm.validation.leak_policy).values()
    found = [s for s in segmenters if parent is None or s.run != parent.run]
    groups = [tuple(row) for row in found[0].run.read_json("groups.json")] if found else []
    scored = found if any(s.dice_rows() for s in found) else [parent] if parent and parent.dice_rows() else []
    rows = [row for segmenter in scored for row in segmenter.dice_rows()]
    if not rows:
        return Segmentation(groups=groups)
    values = {r: np.array([float(row[f"dice_{r}"]) for row in rows]) for r in ("wt", "tc", "et")}
    text = _dice_sentence("fine-tuning" if scored == found else "pre-training", rows, arm.seed)
    if parent is not None and scored == found and parent.dice_rows():
        text = _dice_sentence("pre-training", parent.dice_rows(), arm.seed) + " " + text
    text += " A region empty in both masks counts 1, in one of them 0."
    return Segmentation(figures.dice_boxes(values, f"Dice, n = {len(rows)}"), text, _overlays(scored), groups)


def _dice_sentence(stage: str, rows: list[dict[str, str]], seed: int) -> str:
    """Mean Dice of a stage's held-out cases, each with its interval."""
    summary = dice_summary(rows, seed)
    parts = (f"{r.upper()} {summary[r][0]:.3f} {bracket(summary[r][1], summary[r][2])}" for r in ("wt", "tc", "et"))
    return f"After {stage}, on the scanner's own grid, n = {len(rows)}: {', '.join(parts)}."


def page_files(arms: Sequence[Arm]) -> list[str]:
    """The files that `build_report` writes."""
    return [REPORT, *(_page_file(kind, arm) for arm in arms for kind in ("checklist", "model_card"))]


def _page_file(kind: str, arm: Arm) -> str:
    return f"{kind}_{arm.name}.md"


def build_report(workspace: Workspace, arms: Sequence[Arm], runs: Mapping[str, Run], study: Run) -> Path:
    """Writes report.html, the checklists and the model cards into the study's run."""
    pages, comparison = [], []
    for arm in arms:
        page, rows, answers = arm_page(replace(workspace, arm=arm.name), arm, runs[arm.name])
        checklist, card = checklist_text(arm.name, answers), model_card(arm.name, answers, NOTICE)
        atomic_write(study.path(_page_file("checklist", arm)), checklist.encode())
        atomic_write(study.path(_page_file("model_card", arm)), card.encode())
        pages.append(page)
        comparison += rows
    first = runs[arms[0].name].read_json("provenance.json")
    provenance = [
        ("Study run", study.id), *((f"Survival run {name}", run.id) for name, run in runs.items()),
        ("Seed", str(arms[0].seed)),
        ("Code", f"glioma_os {first['glioma_os']}, commit {first['git'] or 'not a checkout'}"),
        ("Machine", f"Python {first['python']}, {first['machine']}, {first['threads']} threads"),
        ("Packages", ", ".join(f"{name} {found}" for name, found in first["packages"].items() if found)),
    ]  # fmt: skip
    created = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    path, lead = study.path(REPORT), _lead(workspace, arms)
    write_report(path, render(f"Survival study: {workspace.name}", lead, comparison, pages, provenance, created))
    return path


def _lead(workspace: Workspace, arms: Sequence[Arm]) -> str:
    """The first paragraph: what was done, and what the numbers may be taken for."""
    several = len(arms) > 1
    text = (
        f"{len(arms)} arm{'s' * several}: {arms[0].features.way}. Predictions are out of fold; performance has "
        "95 % intervals and an age-only baseline."
    )
    if several:
        text += f" Intervals are not corrected for the comparison of {len(arms)} arms."
    signal = workspace.cohort(arms[0].cohort).imaging_signal
    if signal is not None:
        text += (
            f" The patients are simulated, not real: imaging signal {signal} (correlation of the imaging trait with "
            "log survival), so the numbers test the pipeline and say nothing about glioma."
        )
    return text
