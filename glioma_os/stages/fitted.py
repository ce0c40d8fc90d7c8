"""What a survival run keeps of its models: the pipeline fitted on every patient, and bootstrap refits."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from glioma_os.fusion.folds import FeaturesOfFold
from glioma_os.fusion.instability import bootstrap_refits
from glioma_os.fusion.preprocessing import Preparation
from glioma_os.fusion.rows import Rows
from glioma_os.fusion.storage import ARRAYS, save_pipeline
from glioma_os.fusion.validation import develop_on
from glioma_os.records import FeatureTable
from glioma_os.reporting.result_files import INSTABILITY, write_instability
from glioma_os.stages.build import plain
from glioma_os.stages.setting import Setting
from glioma_os.survival.horizon import report_horizon
from glioma_os.training.progress import say
from glioma_os.training.run import Run

PIPELINE = "pipeline"  # folder of the fitted pipeline in a run


def preparation(setting: Setting) -> Preparation:
    """How inputs are prepared inside the folds."""
    options = plain(setting.cfg.validation)
    combat = options["combat"]
    return Preparation(
        tuple(options["components"]),
        bool(options["age_in_pca"]),
        options["scaling"],
        bool(combat["enabled"]),
        combat["reference"],
        setting.cfg.features.kind == "csv" and setting.cfg.features.lacking == "learn",
        float(options["whitening"]),
    )


def refit(setting: Setting, rows: Rows, variables: tuple[str, ...], features: FeaturesOfFold | None, run: Run) -> None:
    """instability.csv, where `validation.instability` asks for bootstrap refits."""
    options = setting.cfg.validation
    if not int(options.instability):
        return
    horizon = report_horizon(np.array(plain(options.horizons_days) or [], float), rows.time)
    say(f"Refitting on {int(options.instability)} bootstrap samples")
    refits = bootstrap_refits(
        rows, variables, features, list(setting.heads.values()), setting.endpoint, setting.folds,
        int(options.inner_folds), preparation(setting), horizon, int(options.instability), int(setting.cfg.seed),
    )  # fmt: skip
    write_instability(rows.case_ids, refits, run.path(INSTABILITY))


def store(
    setting: Setting, rows: Rows, variables: tuple[str, ...], features: FeaturesOfFold | None, run: Run
) -> str | None:
    """The pipeline fitted on every patient, in the run's folder; None where each fold has an encoder of its own."""
    table = None if features is None else features(0, 0)
    if table is not None and any(features(0, fold) is not table for fold in range(1, setting.folds.n_folds)):  # type: ignore[misc]
        return None
    options = setting.cfg.validation
    fitted = develop_on(
        rows, variables, table, list(setting.heads.values()), setting.endpoint, int(options.inner_folds),
        preparation(setting), int(setting.cfg.seed),
    )  # fmt: skip
    told = pipeline_provenance(setting, setting.cohort().name, rows, variables, table)
    save_pipeline(fitted, run.path(PIPELINE), told)
    return f"{PIPELINE}/{ARRAYS}"


def patient_digest(patient_id: str) -> str:
    """Tells whether a patient took part in a fit, without naming anybody."""
    return hashlib.sha256(f"glioma_os pipeline {patient_id}".encode()).hexdigest()[:16]


def pipeline_provenance(
    setting: Setting, cohort: str, rows: Rows, variables: tuple[str, ...], table: FeatureTable | None
) -> dict[str, Any]:
    """What a stored pipeline says of itself: its cohort, endpoint, inputs, and the segmenter of its features."""
    return {
        "cohort": cohort, "patients": len(set(rows.patient_ids)), "deaths": int(rows.event.sum()),
        "endpoint": plain(setting.cfg.endpoint), "clinical": list(variables), "features": setting.cfg.features.kind,
        "feature_names": [] if table is None else list(table.names),
        "segmenter": None if table is None else table.provenance.get("segmenter"),
        "patient_digests": sorted(patient_digest(patient) for patient in set(rows.patient_ids)),
        "horizons_days": plain(setting.cfg.validation.horizons_days), "seed": int(setting.cfg.seed),
    }  # fmt: skip
