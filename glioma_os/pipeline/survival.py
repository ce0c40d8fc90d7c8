"""Survival of an arm's patients: every head on every set of inputs, nested validation, each number with age alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

import numpy as np

from glioma_os import NOTICE
from glioma_os.config.options import Validation
from glioma_os.fusion.clinical import recordings, usable_here
from glioma_os.fusion.develop import ENSEMBLE
from glioma_os.fusion.folds import FeaturesOfFold
from glioma_os.fusion.results import ValidationResult
from glioma_os.fusion.rows import Rows
from glioma_os.fusion.scores import Score, score
from glioma_os.fusion.subgroups import SubgroupScore, subgroup_scores
from glioma_os.fusion.validation import nested_validation
from glioma_os.pipeline.arm import Arm
from glioma_os.pipeline.features.contract import FeaturesFound
from glioma_os.pipeline.publish import publish_survival
from glioma_os.pipeline.step import Step
from glioma_os.pipeline.stored import refit, store
from glioma_os.pipeline.subjects import Subjects
from glioma_os.pipeline.workspace import Workspace
from glioma_os.reporting.result_files import (
    PREDICTIONS,
    SCORES,
    SUBGROUPS,
    write_predictions,
    write_scores,
    write_subgroups,
)
from glioma_os.reporting.tables import InputNames, contrast_text, lead_score
from glioma_os.survival.endpoints import Endpoint
from glioma_os.training.progress import track
from glioma_os.training.provenance import provenance
from glioma_os.training.run import Run, digest

VALIDATED_BY = ("glioma_os.survival", "glioma_os.fusion", "glioma_os.modules.fusion", "glioma_os.networks.heads",
                "glioma_os.pipeline.survival", "glioma_os.cohorts.splits")  # fmt: skip


@dataclass(frozen=True)
class ValidateSurvival(Step):
    """Nested validation of an arm. `people`: digest of the patients' clinical values and outcomes; `source`: what their
    features were made from."""

    stage: ClassVar[str] = "survival"
    version: ClassVar[int] = 13
    guards: ClassVar[tuple[str, ...]] = VALIDATED_BY
    endpoint: Endpoint
    heads: tuple[Any, ...]
    validation: Validation
    people: str
    folds: str
    source: Any
    arm: Arm = field(compare=False)
    subjects: Subjects = field(compare=False)
    found: FeaturesFound = field(compare=False)

    @classmethod
    def of(cls, workspace: Workspace, arm: Arm) -> ValidateSurvival:
        """The step of this arm; its segmenters are trained and its features made first."""
        subjects = arm.subjects(workspace)
        found = arm.find_features(workspace, subjects)
        people = [
            [c.case_id, c.patient_id, asdict(c.clinical), asdict(c.outcome) if c.outcome else None, c.site]
            for c in subjects.cases
        ]
        return cls(arm.seed, arm.endpoint, arm.heads, arm.validation, digest(people), subjects.folds.digest,
                   found.source, arm, subjects, found)  # fmt: skip

    def work(self, workspace: Workspace, run: Run) -> None:
        """scores.csv, predictions.csv, subgroups.csv, summary.json, folds.json and the stored pipeline."""
        arm, subjects, features = self.arm, self.subjects, self.found.of_fold
        rows = arm.rows(subjects)
        variables, dropped = usable_here(rows, arm.variables)
        result = validated(arm, subjects, rows, features, f"Validating heads, {arm.name}")
        scores = score(result, arm.endpoint, arm.validation.replicates, arm.seed, arm.validation.interval)
        write_scores(scores, run.path(SCORES))
        write_predictions(result, run.path(PREDICTIONS))
        write_subgroups(_subgroups(rows, result, scores, arm.seed), run.path(SUBGROUPS))
        refit(arm, rows, variables, features, subjects.folds, run)
        stored = store(arm, subjects.cohort.name, rows, variables, features, subjects.folds, run)
        summary = _summary(arm, subjects, result, features)
        summary |= _of_clinical(arm, rows, variables, dropped, scores) | {"frozen_pipeline": stored}
        run.write_json("summary.json", summary)
        run.write_json("folds.json", subjects.folds.to_json())
        run.write_json("provenance.json", provenance())

    def publish(self, workspace: Workspace, run: Run, fresh: bool) -> None:
        """The leading configuration, with the segmenters that its features came from."""
        publish_survival(workspace, run, self.found.segmenters, fresh)


def validated(
    arm: Arm, subjects: Subjects, rows: Rows, features: FeaturesOfFold | None, title: str | None = None
) -> ValidationResult:
    """The nested validation of an arm on these rows, under a bar where it has a title."""
    steps = iter(track(range(len(arm.heads) + 1), len(arm.heads) + 1, title) if title else ())

    def progress(name: str, place: int, total: int) -> None:
        next(steps, None)

    options = arm.validation
    result = nested_validation(
        rows, usable_here(rows, arm.variables)[0], features, arm.heads, arm.endpoint, subjects.folds,
        options.inner_folds, arm.preparation, options.horizons_days, options.leak_policy, arm.seed, progress,
    )  # fmt: skip
    for _ in steps:
        pass
    return result


def _subgroups(rows: Rows, result: ValidationResult, scores: list[Score], seed: int) -> list[SubgroupScore]:
    """Of the configuration the report leads with, and of age alone."""
    lead = lead_score(scores)
    shown = result.named(lead.head, lead.block)
    return [
        line
        for configuration in dict.fromkeys([id(shown), id(result.age)])
        for line in subgroup_scores(result, shown if configuration == id(shown) else result.age, rows, 1000, seed)
    ]


def _of_clinical(
    arm: Arm, rows: Rows, variables: tuple[str, ...], dropped: dict[str, str], scores: list[Score]
) -> dict[str, Any]:
    """What the report and its checklists say of clinical variables, sites and the headline's contrast."""
    used = {"clinical_used": list(variables), "feature_source": arm.features.kind}
    return {
        **used, "clinical_dropped": dropped, "sites": len(set(rows.sites) - {""}),
        "recorded": {line.variable: round(line.recorded, 4) for line in recordings(rows, variables)},
        "interval_target": "performance of these predictions in new patients, and of the procedure that made them",
        "contrast": contrast_text(lead_score(scores), InputNames.of(used)),
    }  # fmt: skip


def _summary(arm: Arm, subjects: Subjects, result: ValidationResult, features: FeaturesOfFold | None) -> dict[str, Any]:
    """What the report says of how it was validated."""
    cases, cohort = subjects.cases, subjects.cohort
    provenance_of = features(0, 0).provenance if features else {}
    seen = sorted(provenance_of.get("pretraining_patients", []))
    encoder = provenance_of.get("encoder_patients")
    known = "none" if encoder == [] else "unknown" if encoder is None else "known"
    return {
        "notice": NOTICE,
        "setting": arm.name,
        "cohort": cohort.name,
        "cases_read": len(cohort.cases()) + len(cohort.excluded()),
        "excluded": subjects.excluded,
        "cases": len(cases),
        "patients": len({case.patient_id for case in cases}),
        "deaths": sum(bool(case.outcome and case.outcome.event) for case in cases),
        "endpoint": asdict(arm.endpoint),
        "validation": asdict(arm.validation) | {"repeats": arm.repeats},
        "undetermined": result.undetermined,
        "median_cuts_days": np.median(result.cuts, axis=0).tolist() if result.endpoint.n_classes else None,
        "seen_by_encoder": result.seen_by_encoder,
        "encoder_patients": known if features else None,
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
