"""stage=apply: a stored pipeline predicts a cohort. Nothing is fitted, and outcomes are not looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig

from glioma_os import NOTICE
from glioma_os.data.features import with_rows_for
from glioma_os.errors import ConfigError, DataError, IntegrityError
from glioma_os.fusion.contrasts import leading_row
from glioma_os.fusion.pipeline import NewRows, Pipeline
from glioma_os.fusion.rows import clinical_values
from glioma_os.fusion.storage import ARRAYS, load_pipeline
from glioma_os.records import Case, FeatureTable
from glioma_os.reporting.result_files import PREDICTIONS, csv_bytes
from glioma_os.stages import recipes
from glioma_os.stages.external_latents import external_segmenter
from glioma_os.stages.fitted import patient_digest
from glioma_os.stages.latents import extract, seen_patients
from glioma_os.stages.setting import Setting
from glioma_os.training.progress import say
from glioma_os.training.provenance import provenance
from glioma_os.training.run import Run, check_finished
from glioma_os.volumes.atomic import PRIVATE, atomic_write, sha256_file


def apply(setting: Setting) -> Run:
    """predictions.csv: every case of the cohort under the leading configuration and age alone."""
    asked = setting.cfg.pipeline
    if asked is None:
        raise ConfigError("pipeline", "null found → the folder of a stored pipeline expected",
                          "Set pipeline=FOLDER, such as runs/validate/…/pipeline")  # fmt: skip
    check_finished(Path(asked).parent, whole=True)
    pipeline, told = load_pipeline(asked)
    cases = setting.cohort().cases()
    table = _features(setting, told, cases)
    new = new_rows(pipeline, cases, table)
    fingerprint = setting.cohort().fingerprint(setting.store.sha256 if told["features"] == "latents" else None)
    key = {
        "recipe": recipes.APPLY, "pipeline": sha256_file(Path(asked) / ARRAYS), "cohort": fingerprint,
        "features": None if table is None else table.provenance,
    }  # fmt: skip
    run = setting.run("apply", key)
    with run.writing() as todo:
        if todo:
            header, rows = predictions_of(pipeline, new, cases, np.asarray(told["horizons_days"], float))
            atomic_write(run.path(PREDICTIONS), f"# {NOTICE}\n".encode() + csv_bytes(header, rows), PRIVATE)
            trained = set(told.pop("patient_digests", ()))
            own = {case.patient_id for case in cases}
            run.write_json("summary.json", {
                "notice": NOTICE, "cases": len(cases), "pipeline": told,
                "in_training": sum(patient_digest(patient) in trained for patient in own),
                "columns_ignored": 0 if table is None else len(table.names) - len(pipeline.feature_names),
            })  # fmt: skip
            run.write_json("provenance.json", provenance())
    return run


def _features(setting: Setting, told: dict[str, Any], cases: list[Case]) -> FeatureTable | None:
    kind = told["features"]
    if kind != setting.cfg.features.kind:
        raise ConfigError(
            "features", f"{setting.cfg.features.kind} found → {kind} expected, as the pipeline was fitted",
            f"Set features={kind}",
        )  # fmt: skip
    if kind == "none":
        return None
    if kind == "csv":
        keep = setting.cfg.features.lacking in ("keep", "learn")
        return with_rows_for(setting.feature_file, [c.case_id for c in cases]) if keep else setting.feature_file
    segmenter = external_segmenter(setting, {case.patient_id for case in cases})
    if segmenter.run.id != told["segmenter"]:
        raise IntegrityError(
            "segmenter", f"{segmenter.run.id} found → {told['segmenter']} expected, as the pipeline was fitted",
            "Use the configuration that the pipeline was fitted with: finetuning.from=none or cohort, same seed",
        )  # fmt: skip
    return extract(setting, segmenter, seen_patients(setting, segmenter), f"Latents of {setting.cohort().name}")


def new_rows(pipeline: Pipeline, cases: list[Case], table: FeatureTable | None) -> NewRows:
    """Inputs of these cases in the order the pipeline expects; a feature that it needs and the table lacks is a
    DataError."""
    values = np.empty((len(cases), 0))
    if pipeline.feature_names:
        names = () if table is None else table.names
        missing = [name for name in pipeline.feature_names if name not in names]
        if table is None or missing:
            raise DataError(
                "features", f"no column {(missing or ['any'])[0]!r} found → {len(pipeline.feature_names)} features "
                "that the pipeline was fitted on", "Give a table with the same columns",
            )  # fmt: skip
        places = [names.index(name) for name in pipeline.feature_names]
        values = table.rows([case.case_id for case in cases])[:, places]
    return NewRows(clinical_values(cases), values, tuple(case.site or "" for case in cases))


def predictions_of(
    pipeline: Pipeline, new: NewRows, cases: list[Case], horizons_days: np.ndarray
) -> tuple[list[str], list[list[Any]]]:
    """Header and rows: risk, its percentile among the training patients' out-of-fold risks, class probabilities (from
    short to long survival), S(t) at the horizons."""
    keys = [(row.head, row.block.name) for row in pipeline.rows]
    rows: list[list[Any]] = []
    for key in dict.fromkeys([leading_row(keys), keys[1]]):
        fitted = pipeline.rows[keys.index(key)]
        found = fitted.predict(new, horizons_days)
        percentile = 100 * np.clip(fitted.common_scale(found.risk), 0, 1)
        parts = [part for part in (found.probabilities, found.curves) if part is not None]
        numbers = np.hstack(parts) if parts else np.empty((len(cases), 0))
        for k, case in enumerate(cases):
            rows.append([*key, case.case_id, case.patient_id, repr(float(found.risk[k])), f"{percentile[k]:.1f}",
                         *(repr(float(value)) for value in numbers[k])])  # fmt: skip
    header = ["head", "block", "case_id", "patient_id", "risk", "risk_percentile"]
    header += [f"p_class_{k}" for k in range(pipeline.endpoint.n_classes)] + [f"alive_{day:g}" for day in horizons_days]
    return header, rows


def main(cfg: DictConfig) -> dict[str, Path]:
    """Predicts and says where the predictions are."""
    setting = Setting(cfg, cfg.setting)
    run = apply(setting)
    told = run.read_json("summary.json")
    fitted = told["pipeline"]
    say(f"{told['cases']} cases of {setting.cohort().name} predicted by a pipeline fitted on {fitted['cohort']} "
        f"({fitted['patients']} patients)")  # fmt: skip
    if told["in_training"]:
        say(f"Warning: {told['in_training']} of these patients were in the pipeline's training data: for them the "
            "predictions are not out of sample")  # fmt: skip
    if told["columns_ignored"]:
        say(f"{told['columns_ignored']} feature columns that the pipeline does not use were ignored")
    say(f"{run.path(PREDICTIONS)}")
    return {setting.name: run.folder}
