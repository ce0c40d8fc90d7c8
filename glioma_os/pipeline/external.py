"""External validation: everything learnt on one cohort (or several), another predicted once, shared patients left
out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

import numpy as np

from glioma_os import NOTICE
from glioma_os.cohorts.cohort import Cohort
from glioma_os.cohorts.overlap import shared_patients, suspected_patients
from glioma_os.config.component import Component
from glioma_os.config.options import Eligibility, Validation
from glioma_os.errors import DataError
from glioma_os.fusion.clinical import usable_there
from glioma_os.fusion.drift import drift
from glioma_os.fusion.results import Configuration, Truth
from glioma_os.fusion.rows import Rows
from glioma_os.fusion.scores import score
from glioma_os.fusion.updating import recalibrate
from glioma_os.fusion.validation import apply_to
from glioma_os.pipeline.arm import Arm
from glioma_os.pipeline.audit import identity
from glioma_os.pipeline.features.contract import ExternalSides
from glioma_os.pipeline.step import Step, describe
from glioma_os.pipeline.stored import fit_on_all, save_stored
from glioma_os.pipeline.survival import VALIDATED_BY
from glioma_os.pipeline.workspace import Workspace
from glioma_os.records import Case, FeatureTable
from glioma_os.reporting.result_files import PREDICTIONS, SCORES, csv_bytes, write_predictions, write_scores
from glioma_os.reporting.tables import lead_score
from glioma_os.survival.calibration import recalibration
from glioma_os.survival.endpoints import Endpoint
from glioma_os.survival.horizon import horizons_beyond
from glioma_os.training.progress import track
from glioma_os.training.provenance import provenance
from glioma_os.training.run import Run
from glioma_os.volumes.atomic import atomic_write

CALIBRATION, DRIFT = "calibration.csv", "drift.csv"


@dataclass(frozen=True)
class Sides:
    """Training cases without those that the test cohort holds too, test cases, and what is reported of both."""

    train: list[Case]
    test: list[Case]
    test_name: str
    counts: dict[str, Any]


@dataclass(frozen=True)
class ValidateExternally(Step):
    """An arm fitted on training cohorts and put to a test cohort. `cohorts`: identities of all of them; `table`: where
    the features come from."""

    stage: ClassVar[str] = "validate"
    version: ClassVar[int] = 12
    guards: ClassVar[tuple[str, ...]] = (*VALIDATED_BY, "glioma_os.pipeline.external", "glioma_os.cohorts.overlap")
    endpoint: Endpoint
    heads: tuple[Any, ...]
    validation: Validation
    features_of: Any
    eligibility: Eligibility
    cohorts: Any
    table: Any
    voxels: bool
    arm: Arm = field(compare=False)
    sides: Sides = field(compare=False)
    features: FeatureTable | None = field(compare=False)

    @classmethod
    def of(
        cls, workspace: Workspace, arm: Arm, train: Sequence[Component], test: Component, voxels: bool
    ) -> ValidateExternally:
        """The step; segmenters are trained and features made first."""
        sides = sides_of(workspace, arm, train, test, voxels)
        policy = arm.validation.leak_policy
        found = arm.features.external(
            workspace, ExternalSides(train, test, sides.train, sides.test, arm.eligibility, policy)
        )
        content = workspace.store.sha256 if arm.features.needs_images or voxels else None
        prints = [identity(workspace.cohort(component), content) for component in (*train, test)]
        return cls(
            arm.seed, arm.endpoint, arm.heads, arm.validation, feature_options(arm), arm.eligibility, prints,
            None if found is None else found.provenance, voxels, arm, sides, found,
        )  # fmt: skip

    def work(self, workspace: Workspace, run: Run) -> None:
        """scores.csv, predictions.csv, drift.csv, calibration.csv, summary.json and the fitted pipeline."""
        arm, options, features = self.arm, self.arm.validation, self.features
        rows, others = Rows.from_cases(self.sides.train), Rows.from_cases(self.sides.test)
        without = _without_features(features, others)
        rows.and_others(others)
        horizons_beyond(options.horizons_days, float(others.time.max()))
        variables, dropped, drifting = usable_there(rows, others, arm.variables)
        fitted = fit_on_all(arm, rows, variables, features)
        train_name = cohort_names(self.sides.train)
        save_stored(arm, train_name, rows, variables, features, fitted, run)
        result = apply_to(fitted, others, features, arm.heads, variables, arm.preparation, options.horizons_days)
        scores = score(result, arm.endpoint, options.replicates, arm.seed, options.interval)
        write_scores(scores, run.path(SCORES))
        write_predictions(result, run.path(PREDICTIONS))
        fits = [[c.head, c.block, *calibration_of(c, result.truth)] for c in result.configurations]
        atomic_write(run.path(CALIBRATION), csv_bytes(["head", "block", "slope", "intercept"], fits))
        lines = [asdict(line) for line in drift(rows, others)]
        atomic_write(run.path(DRIFT), csv_bytes(list(lines[0]), [list(line.values()) for line in lines]))
        lead = lead_score(scores)
        updated = recalibrate(result.named(lead.head, lead.block), result.truth, result.horizons_days, arm.seed)
        encoder = None if features is None else features.provenance.get("encoder_patients")
        run.write_json("summary.json", {
            "notice": NOTICE, "train": train_name, "test": self.sides.test_name,
            "train_patients": len(set(rows.patient_ids)), "test_patients": len(set(others.patient_ids)),
            "test_deaths": int(others.event.sum()), "endpoint": asdict(arm.endpoint),
            "cuts_days": result.cuts[0].tolist(), "undetermined": result.undetermined,
            "configurations": len(result.configurations), "settings_tried": result.settings_tried,
            "age": [result.age.head, result.age.block],
            "clinical_used": list(variables), "clinical_dropped": dropped, "clinical_drift": drifting,
            "feature_source": arm.features.kind, "leak_policy": options.leak_policy,
            "seen_by_encoder": None if encoder is None else len(set(encoder) & set(others.patient_ids)),
            "without_features": without, "patients": len(set(others.patient_ids)),
            "pretraining_exposed": len(_exposed(features, others)), "recalibrated": updated._asdict(),
            **self.sides.counts,
        })  # fmt: skip
        run.write_json("provenance.json", provenance())


def feature_options(arm: Arm) -> Any:
    """What is asked of the features beside their content: how they are made, and what becomes of cases without."""
    pooling = getattr(arm.features, "pooling", None)
    return describe([arm.features.kind, arm.features.missing, pooling])


def sides_of(workspace: Workspace, arm: Arm, train: Sequence[Component], test: Component, voxels: bool) -> Sides:
    """Both sides of an external validation; nobody left to train on is a DataError."""
    other = workspace.cohort(test)
    cohorts: list[Cohort] = [*map(workspace.cohort, train), other]
    options = (cohorts, arm.eligibility)
    others, reasons = arm.features.eligible(workspace, other, *options)
    found: list[Case] = []
    shared_count, suspected_count, by_chance_count = 0, 0, 0.0
    for own in cohorts[:-1]:
        certain = shared_patients(own, other, voxels, track)
        suspected, by_chance = suspected_patients(own, other, certain)
        shared = {pair.own for pair in certain}
        shared_count += len(shared)
        suspected_count += len(suspected)
        by_chance_count = round(by_chance_count + by_chance, 1)
        kept = arm.features.eligible(workspace, own, *options).cases
        found += [case for case in kept if case.patient_id not in shared]
    if not found:
        raise DataError(
            "train", f"all {shared_count} training patients are in {other.name} too → others expected",
            "Name two different cohorts",
        )  # fmt: skip
    counts = {"shared_left_out": shared_count, "suspected_shared": suspected_count,
              "suspected_by_chance": by_chance_count, "test_excluded": reasons}  # fmt: skip
    return Sides(found, others, other.name, counts)


def _without_features(features: FeatureTable | None, rows: Rows) -> int:
    """Test cases without any feature; all of them is a DataError, since then nothing of the features is tested."""
    if features is None:
        return 0
    without = int(np.isnan(features.rows(list(rows.case_ids))).all(axis=1).sum())
    if without == len(rows.case_ids):
        raise DataError("features", "no test patient has any feature found → some expected", "Add their features")
    return without


def cohort_names(cases: Sequence[Case]) -> str:
    """The cohorts that a pipeline was fitted on."""
    return " + ".join(dict.fromkeys(case.cohort for case in cases))


def _exposed(features: FeatureTable | None, rows: Rows) -> set[str]:
    return set(features.provenance.get("pretraining_patients", ())) & set(rows.patient_ids) if features else set()


def calibration_of(configuration: Configuration, truth: Truth) -> tuple[float, float]:
    """Slope (ideal 1) and intercept (ideal 0) of P(short class) in the new cohort; NaN or ±inf where undefined."""
    probabilities, evaluable = configuration.table.probabilities, truth.classes >= 0
    if probabilities is None or probabilities.shape[1] != 2 or not evaluable.any():
        return float("nan"), float("nan")
    found = recalibration(probabilities[evaluable, 0], truth.classes[evaluable] == 0)
    return found.slope, found.intercept
