"""A stored pipeline predicts a cohort. Nothing is fitted, and outcomes are not looked at."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from glioma_os import NOTICE
from glioma_os.config.component import Component
from glioma_os.errors import ConfigError, DataError
from glioma_os.fusion.contrasts import leading_row
from glioma_os.fusion.pipeline import NewRows, Pipeline
from glioma_os.fusion.rows import clinical_values
from glioma_os.fusion.storage import ARRAYS, load_pipeline
from glioma_os.pipeline.features.contract import FeatureSource
from glioma_os.pipeline.step import Step
from glioma_os.pipeline.stored import patient_digest
from glioma_os.pipeline.workspace import Workspace
from glioma_os.records import Case, FeatureTable
from glioma_os.reporting.result_files import PREDICTIONS, csv_bytes
from glioma_os.training.provenance import provenance
from glioma_os.training.run import Run, check_finished
from glioma_os.volumes.atomic import PRIVATE, atomic_write, sha256_file


@dataclass(frozen=True)
class ApplyPipeline(Step):
    """Predictions of a stored pipeline. `cohort`: fingerprint of the cases; `source`: where their features come
    from."""

    stage: ClassVar[str] = "apply"
    version: ClassVar[int] = 2
    guards: ClassVar[tuple[str, ...]] = ("glioma_os.fusion.pipeline", "glioma_os.fusion.storage",
                                         "glioma_os.pipeline.apply")  # fmt: skip
    pipeline_sha256: str
    cohort: str
    source: Any
    pipeline: Pipeline = field(compare=False)
    about: dict[str, Any] = field(compare=False)
    cases: list[Case] = field(compare=False)
    table: FeatureTable | None = field(compare=False)

    @classmethod
    def of(
        cls, workspace: Workspace, folder: str | None, cohort: Component, features: FeatureSource, seed: int
    ) -> ApplyPipeline:
        """The step, with the features that the pipeline asks for."""
        if folder is None:
            raise ConfigError("pipeline", "no folder given → the folder of a stored pipeline expected",
                              "Set pipeline=FOLDER, such as runs/validate/…/pipeline")  # fmt: skip
        if not Path(folder).is_dir():
            raise ConfigError("pipeline", f"no folder {folder} found → that of a stored pipeline expected",
                              "Set pipeline=FOLDER, such as runs/validate/…/pipeline")  # fmt: skip
        check_finished(Path(folder).parent, whole=True)
        pipeline, about = load_pipeline(folder)
        if about["features"] != features.kind:
            raise ConfigError(
                "features", f"{features.kind} found → {about['features']} expected, as the pipeline was fitted",
                f"Set features={about['features']}",
            )  # fmt: skip
        own = workspace.cohort(cohort)
        table = features.apply(workspace, cohort, about["segmenter"])
        content = workspace.store.sha256 if features.needs_images else None
        return cls(
            seed, sha256_file(Path(folder) / ARRAYS), own.fingerprint(content),
            None if table is None else table.provenance, pipeline, about, own.cases(), table,
        )  # fmt: skip

    def work(self, workspace: Workspace, run: Run) -> None:
        """predictions.csv: every case under the leading configuration and age alone."""
        about, cases = dict(self.about), self.cases
        new = new_rows(self.pipeline, cases, self.table)
        header, rows = predictions_of(self.pipeline, new, cases, np.asarray(about["horizons_days"], float))
        atomic_write(run.path(PREDICTIONS), f"# {NOTICE}\n".encode() + csv_bytes(header, rows), PRIVATE)
        trained = set(about.pop("patient_digests", ()))
        own = {case.patient_id for case in cases}
        unused = 0 if self.table is None else len(self.table.names) - len(self.pipeline.feature_names)
        run.write_json("summary.json", {
            "notice": NOTICE, "cases": len(cases), "pipeline": about,
            "in_training": sum(patient_digest(patient) in trained for patient in own), "columns_ignored": unused,
        })  # fmt: skip
        run.write_json("provenance.json", provenance())


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
