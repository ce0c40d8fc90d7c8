"""stage=validate: everything learnt on one cohort (or several), another predicted once; shared patients left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig

from glioma_os import NOTICE
from glioma_os.cohorts.overlap import shared_patients, suspected_patients
from glioma_os.data.features import with_rows_for
from glioma_os.errors import ConfigError, DataError
from glioma_os.fusion.clinical import usable_there
from glioma_os.fusion.drift import drift
from glioma_os.fusion.results import Configuration, Truth
from glioma_os.fusion.rows import Rows, clinical_variables
from glioma_os.fusion.scores import score
from glioma_os.fusion.storage import save_pipeline
from glioma_os.fusion.updating import recalibrated
from glioma_os.fusion.validation import apply_to, develop_on
from glioma_os.records import Case, FeatureTable
from glioma_os.reporting.estimates import recalibration_text
from glioma_os.reporting.result_files import (
    PREDICTIONS,
    SCORES,
    csv_bytes,
    read_rows,
    read_scores,
    write_predictions,
    write_scores,
)
from glioma_os.reporting.tables import headline, lead_score, warnings
from glioma_os.stages import recipes
from glioma_os.stages.audit import identity
from glioma_os.stages.build import plain
from glioma_os.stages.checks import check_horizons
from glioma_os.stages.external_latents import external_latents
from glioma_os.stages.fitted import PIPELINE, pipeline_provenance, preparation
from glioma_os.stages.leave_one_out import leave_one_cohort_out
from glioma_os.stages.setting import Setting
from glioma_os.stages.survival import say_scores
from glioma_os.survival.calibration import Recalibration, recalibration
from glioma_os.training.progress import say, track
from glioma_os.training.provenance import provenance
from glioma_os.training.run import Run
from glioma_os.volumes.atomic import atomic_write

CALIBRATION = "calibration.csv"


def _sides(setting: Setting, train: Sequence[str], test: str) -> tuple[list[Case], list[Case], dict[str, Any]]:
    """Training cases without those that the test cohort holds too, test cases, and what is told of both."""
    other = setting.cohort(test)
    others, reasons = setting.eligible(other)
    known: list[Case] = []
    told: dict[str, Any] = {"shared_left_out": 0, "suspected_shared": 0, "suspected_by_chance": 0.0}
    for key in train:
        own = setting.cohort(key)
        certain = shared_patients(own, other, bool(setting.cfg.audit.voxels), track)
        suspected, by_chance = suspected_patients(own, other, certain)
        shared = {pair.own for pair in certain}
        told["shared_left_out"] += len(shared)
        told["suspected_shared"] += len(suspected)
        told["suspected_by_chance"] = round(told["suspected_by_chance"] + by_chance, 1)
        known += [case for case in setting.eligible(own)[0] if case.patient_id not in shared]
    if not known:
        raise DataError(
            "train", f"all {told['shared_left_out']} training patients are in {other.name} too → others expected",
            "Name two different cohorts",
        )  # fmt: skip
    return known, others, told | {"test_excluded": reasons}


def _features(setting: Setting, known: list[Case], others: list[Case], test: str) -> FeatureTable | None:
    kind = setting.cfg.features.kind
    if kind == "none":
        return None
    if kind == "latents":
        return external_latents(setting, known, others, test)
    keep = setting.cfg.features.lacking in ("keep", "learn")
    cases = [case.case_id for case in (*known, *others)]
    return with_rows_for(setting.feature_csv, cases) if keep else setting.feature_csv


def validate(setting: Setting, train: Sequence[str] = ("cohort",), test: str = "other") -> Run:
    """scores.csv, predictions.csv, drift.csv, summary.json and the fitted pipeline, put to the test cohort."""
    known, others, told = _sides(setting, train, test)
    features = _features(setting, known, others, test)
    parts = {name: plain(setting.cfg[name]) for name in ("endpoint", "head", "validation", "features", "eligibility")}
    content = setting.store.sha256 if setting.cfg.features.kind == "latents" or setting.cfg.audit.voxels else None
    prints = [identity(setting.cohort(name), content) for name in (*train, test)]
    table = None if features is None else features.provenance
    run = setting.run(
        "validate",
        {
            "recipe": recipes.VALIDATE,
            **parts,
            "cohorts": prints,
            "table": table,
            "voxels": bool(setting.cfg.audit.voxels),
        },
    )
    with run.writing() as todo:
        if todo:
            _write(setting, run, (known, others), features, told, test)
    return run


def _write(
    setting: Setting, run: Run, sides: tuple[list[Case], list[Case]], features: FeatureTable | None,
    told: dict[str, Any], test: str,
) -> None:  # fmt: skip
    options, seed = setting.cfg.validation, int(setting.cfg.seed)
    rows, other_rows = (Rows.from_cases(cases) for cases in sides)
    without = _without_features(features, other_rows)
    rows.and_others(other_rows)
    check_horizons(plain(options.horizons_days) or (), float(other_rows.time.max()))
    asked = clinical_variables(plain(options)["clinical"])
    variables, dropped, drifting = usable_there(rows, other_rows, asked)
    heads, how = list(setting.heads.values()), preparation(setting)
    fitted = develop_on(rows, variables, features, heads, setting.endpoint, int(options.inner_folds), how, seed)
    save_pipeline(
        fitted, run.path(PIPELINE), pipeline_provenance(setting, fitted_on(sides[0]), rows, variables, features)
    )
    result = apply_to(fitted, other_rows, features, heads, variables, how, plain(options.horizons_days))
    scores = score(result, setting.endpoint, int(options.replicates), seed, options.interval)
    write_scores(scores, run.path(SCORES))
    write_predictions(result, run.path(PREDICTIONS))
    fits = [[c.head, c.block, *calibration_of(c, result.truth)] for c in result.configurations]
    atomic_write(run.path(CALIBRATION), csv_bytes(["head", "block", "slope", "intercept"], fits))
    lines = [asdict(line) for line in drift(rows, other_rows)]
    atomic_write(run.path("drift.csv"), csv_bytes(list(lines[0]), [list(line.values()) for line in lines]))
    lead = lead_score(scores)
    updated = recalibrated(result.named(lead.head, lead.block), result.truth, result.horizons_days, seed)
    encoder = None if features is None else features.provenance.get("encoder_patients")
    seen = None if encoder is None else len(set(encoder) & set(other_rows.patient_ids))
    run.write_json("summary.json", {
        "notice": NOTICE,
        "train": fitted_on(sides[0]),
        "test": setting.cohort(test).name,
        "train_patients": len(set(rows.patient_ids)),
        "test_patients": len(set(other_rows.patient_ids)),
        "test_deaths": int(other_rows.event.sum()),
        "endpoint": plain(setting.cfg.endpoint),
        "cuts_days": result.cuts[0].tolist(),
        "undetermined": result.undetermined,
        "configurations": len(result.configurations),
        "settings_tried": result.settings_tried,
        "age": [result.age.head, result.age.block],
        "clinical_used": list(variables), "clinical_dropped": dropped, "clinical_drift": drifting,
        "feature_source": str(setting.cfg.features.kind), "leak_policy": str(options.leak_policy),
        "seen_by_encoder": seen, "without_features": without, "patients": len(set(other_rows.patient_ids)),
        "pretraining_exposed": len(_exposed(features, other_rows)), "recalibrated": updated._asdict(), **told,
    })  # fmt: skip
    run.write_json("provenance.json", provenance())


def _without_features(features: FeatureTable | None, rows: Rows) -> int:
    """Test cases without any feature; all of them is a DataError, since then nothing of the features is tested."""
    if features is None:
        return 0
    without = int(np.isnan(features.rows(list(rows.case_ids))).all(axis=1).sum())
    if without == len(rows.case_ids):
        raise DataError("features", "no test patient has any feature found → some expected", "Add their features")
    return without


def fitted_on(cases: Sequence[Case]) -> str:
    """The cohorts that a pipeline was fitted on."""
    return " + ".join(dict.fromkeys(case.cohort for case in cases))


def _exposed(features: FeatureTable | None, rows: Rows) -> set[str]:
    return set(features.provenance.get("pretraining_patients", ())) & set(rows.patient_ids) if features else set()


def calibration_of(configuration: Configuration, truth: Truth) -> tuple[float, float]:
    """Slope (ideal 1) and intercept (ideal 0) of P(short class) in the new cohort; NaN or ±inf where undefined."""
    probabilities, known = configuration.table.probabilities, truth.classes >= 0
    if probabilities is None or probabilities.shape[1] != 2 or not known.any():
        return float("nan"), float("nan")
    found = recalibration(probabilities[known, 0], truth.classes[known] == 0)
    return found.slope, found.intercept


def main(cfg: DictConfig) -> dict[str, Path]:
    """Prints who was left out, how the cohorts differ, the scores, and what recalibration would give."""
    setting = Setting(cfg, cfg.setting)
    if plain(cfg.cohorts):
        return leave_one_cohort_out(setting, validate, describe)
    if cfg.other is None:
        raise ConfigError("test", "no second cohort found → one expected", "Set train=brats_table test=upenn")
    if cfg.features.kind == "latents" and not setting.cohort().modalities:
        cfg.features = {"kind": "none"}
    run = validate(setting)
    s, scores = run.read_json("summary.json"), read_scores(run.path(SCORES))
    say(f"Trained on {s['train']}, {s['train_patients']} patients; {s['shared_left_out']} patients shared with "
        f"{s['test']} excluded")  # fmt: skip
    if s["feature_source"] == "latents":
        say(f"{s['pretraining_exposed']} of {s['test_patients']} test patients were seen by the encoder's pre-training")
    say_scores(
        scores,
        f"{s['test']}, {cfg.endpoint.name}: {s['test_patients']} patients, {s['test_deaths']} deaths, "
        f"class not evaluable in {s['undetermined']:g}; predicted once, 95 % patient bootstrap",
    )
    lead = lead_score(scores)
    describe(run)
    _say_drift(run)
    _say_calibration(run, s["recalibrated"], [[lead.head, lead.block], s["age"]])
    say(f"{run.folder}")
    return {setting.name: run.folder}


def describe(run: Run) -> None:
    """Prints the headline, and what a reader must know of this external validation."""
    summary, lead = run.read_json("summary.json"), lead_score(read_scores(run.path(SCORES)))
    say(headline(lead, summary["age"], summary))
    texts = [*warnings(summary, lead), *summary["clinical_drift"]]
    suspected, by_chance = summary["suspected_shared"], summary["suspected_by_chance"]
    if suspected > by_chance:
        texts.append(
            f"{suspected} further pairs of training and test patients may be the same person (age within a year and "
            f"the same days; {by_chance:g} expected by chance); they are not excluded. stage=audit lists them"
        )
    if summary["without_features"]:
        texts.append(f"{summary['without_features']} test patients have no features")
    for text in texts:
        say(f"Warning: {text}")


def _say_drift(run: Run) -> None:
    say("Differences between the cohorts (mean in training → in test, in standard deviations)")
    for line in read_rows(run.path("drift.csv")):
        if line["verdict"] == "not recorded":
            say(f"  {line['name']:<22}not recorded in at least one of them")
            continue
        sd = float(line["difference_sd"])
        gap = "" if sd != sd else f"  {sd:+.2f}"
        means = f"{float(line['known']):9.2f} → {float(line['others']):9.2f}"
        say(f"  {line['name']:<22}{means}{gap}  {line['verdict']}")


def _say_calibration(run: Run, updated: dict[str, float], shown: list[list[str]]) -> None:
    """Of the leading row and of age alone; calibration.csv has every row."""
    rows = [row for row in read_rows(run.path(CALIBRATION)) if [row["head"], row["block"]] in shown]
    fits = [row for row in rows if row["intercept"] != "nan"]
    if fits:
        say("Calibration of the shorter class")
    for row in fits:
        fit = Recalibration(float(row["intercept"]), float(row["slope"]))
        say(f"  {row['head']:<16}{row['block']:<11}{recalibration_text(fit)}")
    for name, title in (("brier", "Brier score"), ("ibs", "integrated Brier score")):
        before, after = updated[f"{name}_before"], updated[f"{name}_after"]
        if before == before:
            say(f"Recalibrated in the new cohort (cross-fitted), {title} {before:.3f} → {after:.3f}")
