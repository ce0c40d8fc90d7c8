"""stage=survival: every head on every block of inputs, nested validation, each number beside age alone."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig

from glioma_os import NOTICE
from glioma_os.data.features import with_rows_for
from glioma_os.errors import ConfigError
from glioma_os.fusion.clinical import recordings, usable_here
from glioma_os.fusion.develop import ENSEMBLE
from glioma_os.fusion.folds import FeaturesOfFold
from glioma_os.fusion.results import ValidationResult
from glioma_os.fusion.rows import Rows, clinical_variables
from glioma_os.fusion.scores import Score, score
from glioma_os.fusion.subgroups import SubgroupScore, subgroup_scores
from glioma_os.fusion.validation import nested_validation
from glioma_os.reporting.result_files import (
    PREDICTIONS,
    SCORES,
    SUBGROUPS,
    read_scores,
    write_predictions,
    write_scores,
    write_subgroups,
)
from glioma_os.reporting.tables import (
    InputNames,
    contrast,
    contrast_text,
    headline,
    lead_score,
    shown_metrics,
    warnings,
)
from glioma_os.stages import recipes
from glioma_os.stages.build import plain
from glioma_os.stages.fitted import preparation, refit, store
from glioma_os.stages.publishing import publish_survival
from glioma_os.stages.setting import Setting
from glioma_os.training.progress import say, track
from glioma_os.training.provenance import provenance
from glioma_os.training.run import Run, digest


def features_of(setting: Setting) -> tuple[FeaturesOfFold | None, Any]:
    """What of the images reaches the heads in each outer fold, and a key that says what it was made from."""
    kind = setting.cfg.features.kind
    if kind == "none":
        return None, None
    if kind == "csv":
        table = setting.feature_csv
        if setting.cfg.features.lacking in ("keep", "learn"):
            table = with_rows_for(table, [case.case_id for case in setting.survivors[0]])
        return lambda repeat, fold: table, [table.provenance, plain(setting.cfg.features)]
    if kind != "latents":
        raise ConfigError("features.kind", f"{kind!r} found → latents, csv or none expected", "Correct the key")
    return _latents_of(setting)


def _latents_of(setting: Setting) -> tuple[FeaturesOfFold, Any]:
    from glioma_os.stages.latents import extract, seen_patients
    from glioma_os.stages.segment import ALL, fold_title, segmenters

    found = segmenters(setting)
    tables = {
        title: extract(setting, segmenter, seen_patients(setting, segmenter), f"Latents {setting.name}, {title}")
        for title, segmenter in found.items()
    }
    key = {"pooling": setting.cfg.features.pooling, "segmenters": {title: s.run.id for title, s in found.items()}}
    return lambda repeat, fold: tables[ALL if ALL in tables else fold_title(repeat, fold)], key


def validation_key(setting: Setting, source: Any) -> dict[str, Any]:
    """What a validation depends on; `source` says what the features were made from."""
    people = [
        [c.case_id, c.patient_id, asdict(c.clinical), asdict(c.outcome) if c.outcome else None, c.site]
        for c in setting.survivors[0]
    ]
    return {
        "recipe": recipes.SURVIVAL, "endpoint": plain(setting.cfg.endpoint), "heads": plain(setting.cfg.head),
        "validation": plain(setting.cfg.validation), "features": source, "people": digest(people),
        "folds": setting.folds.digest,
    }  # fmt: skip


def survive(setting: Setting) -> Run:
    """The survival run of this setting, done now or before."""
    cases, excluded = setting.survivors
    features, source = features_of(setting)
    key = validation_key(setting, source)
    run = setting.run("survival", key)
    with run.writing() as todo:
        if todo:
            rows = Rows.from_cases(cases)
            variables, dropped = variables_of(setting, rows)
            result = validated(setting, rows, features, f"Validating heads, {setting.name}")
            scores = score(
                result,
                setting.endpoint,
                int(setting.cfg.validation.replicates),
                int(setting.cfg.seed),
                setting.cfg.validation.interval,
            )
            write_scores(scores, run.path(SCORES))
            write_predictions(result, run.path(PREDICTIONS))
            write_subgroups(_subgroups(setting, result, scores), run.path(SUBGROUPS))
            refit(setting, rows, variables, features, run)
            stored = store(setting, rows, variables, features, run)
            summary = _summary(setting, result, excluded, features)
            summary |= _of_clinical(setting, rows, variables, dropped, scores) | {"frozen_pipeline": stored}
            run.write_json("summary.json", summary)
            run.write_json("folds.json", setting.folds.to_json())
            run.write_json("provenance.json", provenance())
        publish_survival(setting, run, source.get("segmenters", {}) if isinstance(source, dict) else {}, fresh=todo)
    return run


def variables_of(setting: Setting, rows: Rows) -> tuple[tuple[str, ...], dict[str, str]]:
    """Clinical variables that are asked for and can be used, and why others cannot."""
    return usable_here(rows, clinical_variables(plain(setting.cfg.validation)["clinical"]))


def validated(
    setting: Setting, rows: Rows, features: FeaturesOfFold | None, title: str | None = None
) -> ValidationResult:
    """The nested validation that the configuration asks for, under a bar where it has a title."""
    options, heads = setting.cfg.validation, list(setting.heads.values())
    steps = iter(track(range(len(heads) + 1), len(heads) + 1, title) if title else ())

    def progress(name: str, place: int, total: int) -> None:
        next(steps, None)

    result = nested_validation(
        rows, variables_of(setting, rows)[0], features, heads, setting.endpoint, setting.folds,
        int(options.inner_folds), preparation(setting), plain(options.horizons_days), options.leak_policy,
        int(setting.cfg.seed), progress,
    )  # fmt: skip
    for _ in steps:
        pass
    return result


def _subgroups(setting: Setting, result: ValidationResult, scores: list[Score]) -> list[SubgroupScore]:
    """Of the configuration the report leads with, and of age alone."""
    rows, lead = Rows.from_cases(setting.survivors[0]), lead_score(scores)
    shown = result.named(lead.head, lead.block)
    return [
        line
        for configuration in dict.fromkeys([id(shown), id(result.age)])
        for line in subgroup_scores(
            result, shown if configuration == id(shown) else result.age, rows, 1000, int(setting.cfg.seed)
        )
    ]


def _of_clinical(
    setting: Setting, rows: Rows, variables: tuple[str, ...], dropped: dict[str, str], scores: list[Score]
) -> dict[str, Any]:
    """What the report and its checklists say of clinical variables, sites and the headline's contrast."""
    used = {"clinical_used": list(variables), "feature_source": str(setting.cfg.features.kind)}
    return {
        **used, "clinical_dropped": dropped, "sites": len(set(rows.sites) - {""}),
        "recorded": {line.variable: round(line.recorded, 4) for line in recordings(rows, variables)},
        "interval_target": "performance of these predictions in new patients, and of the procedure that made them",
        "contrast": contrast_text(lead_score(scores), InputNames.of(used)),
    }  # fmt: skip


def _summary(
    setting: Setting, result: ValidationResult, excluded: dict[str, int], features: FeaturesOfFold | None
) -> dict[str, Any]:
    """What the report says of how it was judged."""
    cases, _ = setting.survivors
    provenance_of = features(0, 0).provenance if features else {}
    seen = sorted(provenance_of.get("pretraining_patients", []))
    encoder = provenance_of.get("encoder_patients")
    told = "none" if encoder == [] else "unknown" if encoder is None else "known"
    return {
        "notice": NOTICE,
        "setting": setting.name,
        "cohort": setting.cohort().name,
        "cases_read": len(setting.cohort().cases()) + len(setting.cohort().excluded()),
        "excluded": excluded,
        "cases": len(cases),
        "patients": len({case.patient_id for case in cases}),
        "deaths": sum(bool(case.outcome and case.outcome.event) for case in cases),
        "endpoint": plain(setting.cfg.endpoint),
        "validation": plain(setting.cfg.validation) | {"repeats": setting.repeats},
        "undetermined": result.undetermined,
        "median_cuts_days": np.median(result.cuts, axis=0).tolist() if result.endpoint.n_classes else None,
        "seen_by_encoder": result.seen_by_encoder,
        "encoder_patients": told if features else None,
        "suspected_columns": provenance_of.get("suspected_columns"),
        "feature_weights": [
            round(weight, 4)
            for c in result.configurations
            if (c.head, c.block) == (ENSEMBLE, "fused")
            for weight in c.feature_weights
        ],
        "columns": {f"{c.head} {c.block}": c.columns for c in result.configurations if c.columns},
        "seen_by_pretraining": len({case.patient_id for case in cases} & set(seen)),
        "pretraining_patients": seen,
        "leak_policy": result.leak_policy,
        "site_auc": result.site_auc,
        "configurations": len(result.configurations),
        "settings_tried": result.settings_tried,
        "patients_per_parameter": {
            f"{c.head} {c.block}": round(c.patients_per_parameter, 2)
            for c in result.configurations
            if c.patients_per_parameter != float("inf")
        },
        "age": [result.age.head, result.age.block],
    }


def say_scores(scores: list[Score], title: str) -> None:
    """The table a terminal shows: one line a configuration, every number with interval, n and Δ to age only."""
    say(title)
    for name in shown_metrics(scores):
        say(f"  {name}")
        for line in (line for line in scores if line.metric == name):
            say(
                f"    {line.head:<14}{line.block:<10}{line.value:6.3f} [{line.low:.3f}, {line.high:.3f}]  "
                f"n={line.n:<4} "
                f"Δ age {line.delta_to_age:+.3f} [{line.delta_low:+.3f}, {line.delta_high:+.3f}]"
                + (f"  Δ without features {' '.join(contrast(line))}" if line.block == "fused" else "")
            )


def main(cfg: DictConfig) -> dict[str, Path]:
    """Validates and prints the table."""
    setting = Setting(cfg, cfg.setting)
    setting.check()
    run = survive(setting)
    summary = run.read_json("summary.json")
    say_scores(
        read_scores(run.path(SCORES)),
        f"{summary['cohort']}, {cfg.endpoint.name}: {summary['patients']} patients, {summary['deaths']} deaths, "
        f"class not evaluable in {summary['undetermined']:g}; out of fold, 95 % patient bootstrap",
    )
    scores = read_scores(run.path(SCORES))
    lead = lead_score(scores)
    say(headline(lead, summary["age"], summary))
    for text in warnings(summary, lead):
        say(f"Warning: {text}")
    say(f"{run.folder}")
    return {setting.name: run.folder}
