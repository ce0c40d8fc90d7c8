"""What a survival run keeps of its models: the pipeline fitted on every patient, and bootstrap refits."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import Any

import numpy as np

from glioma_os.fusion.folds import FeaturesOfFold, Folds
from glioma_os.fusion.instability import bootstrap_refits
from glioma_os.fusion.pipeline import Pipeline
from glioma_os.fusion.rows import Rows
from glioma_os.fusion.storage import ARRAYS, save_pipeline
from glioma_os.fusion.validation import develop_on
from glioma_os.pipeline.arm import Arm
from glioma_os.records import FeatureTable
from glioma_os.reporting.result_files import INSTABILITY, write_instability
from glioma_os.survival.horizon import report_horizon
from glioma_os.training.progress import say
from glioma_os.training.run import Run

PIPELINE = "pipeline"  # folder of the fitted pipeline in a run


def refit(
    arm: Arm, rows: Rows, variables: tuple[str, ...], features: FeaturesOfFold | None, folds: Folds, run: Run
) -> None:
    """instability.csv, where `validation.instability` asks for bootstrap refits."""
    options = arm.validation
    if not options.instability:
        return
    horizon = report_horizon(np.array(options.horizons_days, float), rows.time)
    say(f"Refitting on {options.instability} bootstrap samples")
    refits = bootstrap_refits(
        rows, variables, features, arm.heads, arm.endpoint, folds, options.inner_folds, arm.preparation, horizon,
        options.instability, arm.seed,
    )  # fmt: skip
    write_instability(rows.case_ids, refits, run.path(INSTABILITY))


def fit_on_all(arm: Arm, rows: Rows, variables: tuple[str, ...], table: FeatureTable | None) -> Pipeline:
    """The arm's heads fitted on every row."""
    return develop_on(
        rows, variables, table, arm.heads, arm.endpoint, arm.validation.inner_folds, arm.preparation, arm.seed
    )


def store(
    arm: Arm, cohort: str, rows: Rows, variables: tuple[str, ...], features: FeaturesOfFold | None, folds: Folds,
    run: Run,
) -> str | None:  # fmt: skip
    """The pipeline fitted on every patient, in the run's folder; None where each fold has an encoder of its own."""
    table = None if features is None else features(0, 0)
    if features is not None and any(features(0, fold) is not table for fold in range(1, folds.n_folds)):
        return None
    save_stored(arm, cohort, rows, variables, table, fit_on_all(arm, rows, variables, table), run)
    return f"{PIPELINE}/{ARRAYS}"


def patient_digest(patient_id: str) -> str:
    """Tells whether a patient took part in a fit, without naming anybody."""
    return hashlib.sha256(f"glioma_os pipeline {patient_id}".encode()).hexdigest()[:16]


def save_stored(
    arm: Arm, cohort: str, rows: Rows, variables: tuple[str, ...], table: FeatureTable | None, fitted: Pipeline,
    run: Run,
) -> None:  # fmt: skip
    """Writes the pipeline and what it says of itself: its cohort, endpoint, inputs, and the segmenter of its
    features."""
    about: dict[str, Any] = {
        "cohort": cohort, "patients": len(set(rows.patient_ids)), "deaths": int(rows.event.sum()),
        "endpoint": asdict(arm.endpoint), "clinical": list(variables), "features": arm.features.kind,
        "feature_names": [] if table is None else list(table.names),
        "segmenter": None if table is None else table.provenance.get("segmenter"),
        "patient_digests": sorted(patient_digest(patient) for patient in set(rows.patient_ids)),
        "horizons_days": list(arm.validation.horizons_days), "seed": arm.seed,
    }  # fmt: skip
    save_pipeline(fitted, run.path(PIPELINE), about)
