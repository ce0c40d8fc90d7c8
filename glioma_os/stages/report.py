"""stage=report: the runs of a study → one HTML page."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd
from omegaconf import DictConfig

from glioma_os import NOTICE, __version__
from glioma_os.errors import DataError
from glioma_os.fusion.scores import Score
from glioma_os.reporting import figures
from glioma_os.reporting.checklists import TRIPOD_AI, checklist_text, filled, known_facts, model_card
from glioma_os.reporting.judgement import judgement, subgroup_rows
from glioma_os.reporting.predictions import by_exposure, survival_figures
from glioma_os.reporting.report import METRIC_NAMES, ComparisonRow, SettingPage, render, write_report
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
from glioma_os.stages.segment import dice_rows
from glioma_os.stages.segmenter import Segmenter
from glioma_os.stages.setting import Setting, settings_of, study_run
from glioma_os.survival.instability import instability
from glioma_os.training.progress import say
from glioma_os.training.run import Run
from glioma_os.volumes.atomic import atomic_write

REPORT = "report.html"
OVERLAYS = 6
WAYS = {  # features.kind → how a patient's prediction comes about
    "latents": "segment, extract the encoder's latents, fuse them with clinical variables, predict",
    "csv": "read feature tables, fuse them with clinical variables, predict",
    "none": "predict from clinical variables",
}


def _predictions(run: Run) -> pd.DataFrame:
    return read_predictions(run.path(PREDICTIONS))


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


def setting_page(setting: Setting, run: Run) -> tuple[SettingPage, list[ComparisonRow], dict[str, str]]:
    """Everything the report shows of one setting, from its runs; the facts are those of its checklists."""
    scores, summary = read_scores(run.path(SCORES)), run.read_json("summary.json")
    age, names, best = summary["age"], InputNames.of(summary), lead_score(scores)
    metrics, rows = score_rows(scores, age, best, names)
    frame = _predictions(run)
    exposure = by_exposure(frame, best, summary["pretraining_patients"], int(setting.cfg.seed))
    primary = [s for s in scores if s.metric == metrics[0] and s.head != "majority"]
    lines = [
        (f"{s.display_name}, {names.of_block(s.block)}", s.value, s.low, s.high, s.block == "fused")
        for s in primary
    ]
    flow = [("cases read", summary["cases_read"])]
    flow += [(f"left out: {reason}", count) for reason, count in summary["excluded"].items()]
    flow += [("patients analysed", summary["patients"]), ("deaths", summary["deaths"])]
    dice, text, overlays, groups = _segmentation(setting)
    drawn, stability = _instability(run)
    figured = survival_figures(frame, scores, best, age, names)
    checked = judgement(frame, best, age, summary["columns"].get(f"{best.head} {best.block}"))
    told = {term for term, text in checked if not text.startswith("not estima")} | set(figured)
    answers = _facts_of(setting, run, told)
    page = SettingPage(
        name=setting.name,
        subtitle=f"{summary['cohort']}; {', '.join(setting.channels)}" if dice or overlays else summary["cohort"],
        headline=headline(best, age, summary), flow=flow, metrics=metrics, scores=rows,
        facts=facts(summary, best, exposure), groups=groups,
        figures=[*figured.values(), *drawn],
        forest=figures.forest(lines, "Every configuration", METRIC_NAMES[metrics[0]], 0.5),
        dice=dice, dice_text=text, overlays=overlays, warnings=warnings(summary, best),
        judgement=[
            *checked,
            ("Prediction instability", stability),
        ],
        subgroups=subgroup_rows(_subgroups(run, best)), checklist=filled(TRIPOD_AI, answers),
    )  # fmt: skip
    return page, comparison_rows(setting.name, scores, age), answers


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


def _facts_of(setting: Setting, run: Run, shown: set[str]) -> dict[str, str]:
    """What the checklists and the model card are filled with; `shown`: the checks that the page holds."""
    summary, scores = run.read_json("summary.json"), read_scores(run.path(SCORES))
    lead = lead_score(scores)
    channels = ", ".join(setting.channels) if setting.cfg.features.kind == "latents" else "none read"
    return known_facts(summary, headline(lead, summary["age"], summary), channels, __version__, shown)


def _segmentation(setting: Setting) -> tuple[str, str, list[tuple[str, str]], list[tuple[str, int, float, str]]]:
    """Dice figure, its sentence, overlays, and the parameter groups of fine-tuning; empty without a segmenter."""
    if setting.cfg.features.kind != "latents":
        return "", "", [], []
    from glioma_os.stages.fitting import pretrain
    from glioma_os.stages.segment import segmenters

    parent = pretrain(setting)
    found = [s for s in segmenters(setting).values() if parent is None or s.run != parent.run]
    groups = [tuple(row) for row in found[0].run.read_json("groups.json")] if found else []
    scored = found if any(dice_rows(s) for s in found) else [parent] if parent and dice_rows(parent) else []
    rows = [row for segmenter in scored for row in dice_rows(segmenter)]
    if not rows:
        return "", "", [], groups
    values = {r: np.array([float(row[f"dice_{r}"]) for row in rows]) for r in ("wt", "tc", "et")}
    text = _dice_sentence("fine-tuning" if scored == found else "pre-training", rows, int(setting.cfg.seed))
    if parent is not None and scored == found and dice_rows(parent):
        text = _dice_sentence("pre-training", dice_rows(parent), int(setting.cfg.seed)) + " " + text
    text += " A region empty in both masks counts 1, in one of them 0."
    return figures.dice_boxes(values, f"Dice, n = {len(rows)}"), text, _overlays(scored), groups


def _dice_sentence(stage: str, rows: list[dict[str, str]], seed: int) -> str:
    """Mean Dice of a stage's held-out cases, each with its interval."""
    summary = dice_summary(rows, seed)
    parts = (f"{r.upper()} {summary[r][0]:.3f} {bracket(summary[r][1], summary[r][2])}" for r in ("wt", "tc", "et"))
    return f"After {stage}, on the scanner's own grid, n = {len(rows)}: {', '.join(parts)}."


def _page_file(kind: str, setting: Setting) -> str:
    return f"{kind}_{setting.name}.md"


def build_report(cfg: DictConfig, settings: list[Setting], runs: dict[str, Run], study: Run) -> Path:
    """Writes report.html into the study's run."""
    pages, comparison = [], []
    for setting in settings:
        page, rows, answers = setting_page(setting, runs[setting.name])
        checklist, card = checklist_text(setting.name, answers), model_card(setting.name, answers, NOTICE)
        atomic_write(study.path(_page_file("checklist", setting)), checklist.encode())
        atomic_write(study.path(_page_file("model_card", setting)), card.encode())
        pages.append(page)
        comparison += rows
    first = runs[settings[0].name].read_json("provenance.json")
    synthetic = "synthetic" in settings[0].cohort().name
    lead = (
        f"{len(pages)} setting{'s' * (len(pages) > 1)}: {WAYS[settings[0].cfg.features.kind]}. Predictions are out of "
        "fold; performance has 95 % intervals and an age-only baseline."
    )
    if len(pages) > 1:
        lead += f" Intervals are not corrected for the comparison of {len(pages)} settings."
    if synthetic:
        lead += (
            f" The patients are simulated, not real: imaging signal {cfg.synthetic.signal} (correlation of the imaging "
            "trait with log survival), so the numbers test the pipeline and say nothing about glioma."
        )
    provenance = [
        ("Study run", study.id), *((f"Survival run {name}", run.id) for name, run in runs.items()),
        ("Seed", str(cfg.seed)), ("Code", f"glioma_os {first['glioma_os']}, commit {first['git'] or 'not a checkout'}"),
        ("Machine", f"Python {first['python']}, {first['machine']}, {first['threads']} threads"),
        ("Packages", ", ".join(f"{name} {found}" for name, found in first["packages"].items() if found)),
    ]  # fmt: skip
    created = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    path = study.path(REPORT)
    write_report(path, render(f"Survival study: {cfg.name}", lead, comparison, pages, provenance, created))
    return path


def main(cfg: DictConfig) -> None:
    """Writes the report of a finished study anew."""
    from glioma_os.stages.survival import survive

    settings = settings_of(cfg)
    study = study_run(cfg, settings)
    written = [REPORT, *(_page_file(kind, setting) for setting in settings for kind in ("checklist", "model_card"))]
    if not study.finished(without=written):
        raise DataError(study.folder, "no finished study of this configuration found", "Run stage=study first")
    path = build_report(cfg, settings, {setting.name: survive(setting) for setting in settings}, study)
    study.amend(written)
    say("Report written")
    print(path)
