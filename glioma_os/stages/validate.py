"""stage=validate: everything learnt on one cohort, another predicted once; patients that both hold are left out."""

from __future__ import annotations

import csv
from dataclasses import asdict
from typing import Any

from omegaconf import DictConfig

from glioma_os import NOTICE
from glioma_os.cohorts.overlap import shared_patients
from glioma_os.data.features import with_rows_for
from glioma_os.errors import ConfigError
from glioma_os.fusion.drift import drift
from glioma_os.fusion.results import Configuration, Truth
from glioma_os.fusion.rows import Rows
from glioma_os.fusion.scores import score
from glioma_os.fusion.validation import external_validation
from glioma_os.records import Case, FeatureTable
from glioma_os.reporting.estimates import recalibration_text
from glioma_os.reporting.result_files import (
    PREDICTIONS,
    SCORES,
    csv_bytes,
    read_scores,
    write_predictions,
    write_scores,
)
from glioma_os.stages.audit import identity
from glioma_os.stages.build import plain
from glioma_os.stages.setting import Setting
from glioma_os.stages.survival import preparation, say_scores
from glioma_os.survival.calibration import Recalibration, recalibration
from glioma_os.training.progress import say, track
from glioma_os.training.provenance import provenance
from glioma_os.training.run import Run
from glioma_os.volumes.atomic import atomic_write

CALIBRATION = "calibration.csv"
RECIPE = 6  # raise when a change alters the predictions or the scores


def _sides(setting: Setting) -> tuple[list[Case], list[Case], int, dict[str, int]]:
    """Training cases without those that the test cohort holds too, test cases, how many that were, and exclusions."""
    if setting.cfg.other is None:
        raise ConfigError("test", "no second cohort found → one expected", "Say train=brats_table test=upenn")
    own, other = setting.cohort(), setting.cohort("other")
    shared = {pair.own for pair in shared_patients(own, other, bool(setting.cfg.audit.voxels), track)}
    known, _ = setting.eligible(own)
    others, reasons = setting.eligible(other)
    return [case for case in known if case.patient_id not in shared], others, len(shared), reasons


def _features(setting: Setting, cases: list[Case]) -> FeatureTable | None:
    kind = setting.cfg.features.kind
    if kind == "none":
        return None
    if kind != "csv":
        raise ConfigError(
            "features", f"{kind} found → none or csv expected",
            "For latents of both cohorts write them to one CSV: stage=latents, then features=csv",
        )  # fmt: skip
    keep = setting.cfg.features.lacking in ("keep", "learn")
    return with_rows_for(setting.feature_csv, [case.case_id for case in cases]) if keep else setting.feature_csv


def validate(setting: Setting) -> Run:
    """scores.csv, predictions.csv, drift.csv and summary.json of the frozen pipelines on the test cohort."""
    known, others, shared, excluded = _sides(setting)
    features = _features(setting, [*known, *others])
    parts = {name: plain(setting.cfg[name]) for name in ("endpoint", "head", "validation", "features", "eligibility")}
    prints = [identity(setting.cohort(name)) for name in ("cohort", "other")]
    table = None if features is None else features.provenance
    run = setting.run(
        "validate",
        {"recipe": RECIPE, **parts, "cohorts": prints, "table": table, "voxels": bool(setting.cfg.audit.voxels)},
    )
    with run.writing() as todo:
        if todo:
            options, rows, other_rows = setting.cfg.validation, Rows.from_cases(known), Rows.from_cases(others)
            result = external_validation(
                rows, other_rows, options.clinical, features, list(setting.heads.values()), setting.endpoint,
                int(options.inner_folds), preparation(setting), plain(options.horizons_days), int(setting.cfg.seed),
            )  # fmt: skip
            write_scores(
                score(result, setting.endpoint, int(options.replicates), int(setting.cfg.seed), options.interval),
                run.path(SCORES),
            )
            write_predictions(result, run.path(PREDICTIONS))
            fits = [[c.head, c.block, *calibration_of(c, result.truth)] for c in result.configurations]
            atomic_write(run.path(CALIBRATION), csv_bytes(["head", "block", "slope", "intercept"], fits))
            lines = [asdict(line) for line in drift(rows, other_rows)]
            atomic_write(run.path("drift.csv"), csv_bytes(list(lines[0]), [list(line.values()) for line in lines]))
            run.write_json("summary.json", _summary(setting, known, others, shared, excluded, result))
            run.write_json("provenance.json", provenance())
    return run


def calibration_of(configuration: Configuration, truth: Truth) -> tuple[float, float]:
    """Slope (1 is ideal) and intercept (0 is ideal) of P(short class) in the new cohort, see `Recalibration`; NaN
    where there are not two classes."""
    chances, known = configuration.table.probabilities, truth.classes >= 0
    if chances is None or chances.shape[1] != 2 or not known.any():
        return float("nan"), float("nan")
    found = recalibration(chances[known, 0], truth.classes[known] == 0)
    return found.slope, found.intercept


def _summary(
    setting: Setting, known: list[Case], others: list[Case], shared: int, excluded: dict[str, int], result: Any
) -> dict[str, Any]:
    return {
        "notice": NOTICE,
        "train": setting.cohort().name,
        "test": setting.cohort("other").name,
        "train_patients": len({case.patient_id for case in known}),
        "shared_left_out": shared,
        "test_patients": len({case.patient_id for case in others}),
        "test_deaths": sum(bool(case.outcome and case.outcome.event) for case in others),
        "test_excluded": excluded,
        "endpoint": plain(setting.cfg.endpoint),
        "cuts_days": result.cuts[0].tolist(),
        "undetermined": result.undetermined,
        "configurations": len(result.configurations),
        "settings_tried": result.settings_tried,
        "age": [result.age.head, result.age.block],
    }


def main(cfg: DictConfig) -> None:
    """Prints who was left out, how the cohorts differ, and the scores."""
    setting = Setting(cfg, cfg.setting)
    if cfg.features.kind == "latents" and not setting.cohort().modalities:
        cfg.features = {"kind": "none"}
    run = validate(setting)
    s = run.read_json("summary.json")
    say(f"Learnt on {s['train']}, {s['train_patients']} patients; {s['shared_left_out']} left out that {s['test']} "
        f"holds too")  # fmt: skip
    say_scores(
        read_scores(run.path(SCORES)),
        f"{s['test']}, {cfg.endpoint.name}: {s['test_patients']} patients, {s['test_deaths']} deaths, "
        f"{s['undetermined']:g} without a class; predicted once, 95 % patient bootstrap",
    )
    say("Drift, in standard deviations")
    for line in run.path("drift.csv").read_text().splitlines()[1:]:
        name, before, after, sd, *_ = line.split(",")
        say(f"  {name:<22}{float(before):9.2f} → {float(after):9.2f}  {float(sd):+.2f}")
    with run.path(CALIBRATION).open(newline="") as file:
        calibrated = [row for row in csv.DictReader(file) if row["slope"] != "nan" and row["head"] != "majority"]
    if calibrated:
        say("Calibration of the shorter class")
    for row in calibrated:
        fit = Recalibration(float(row["intercept"]), float(row["slope"]))
        say(f"  {row['head']:<16}{row['block']:<11}{recalibration_text(fit)}")
    say(f"{run.folder}")
