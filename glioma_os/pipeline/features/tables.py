"""features=csv: tables that somebody else made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from glioma_os.cohorts.cohort import Cohort
from glioma_os.cohorts.eligibility import Eligible, eligible
from glioma_os.config.component import Component
from glioma_os.config.options import Eligibility, LeakPolicy
from glioma_os.data.feature_csv import read_feature_csv
from glioma_os.data.features import encoder_patients, with_rows_for
from glioma_os.errors import ConfigError
from glioma_os.fusion.folds import seen_by_encoder
from glioma_os.pipeline.feature_checks import check_columns
from glioma_os.pipeline.features.contract import ExternalSides, FeaturesFound, FeatureSource
from glioma_os.pipeline.subjects import Subjects
from glioma_os.pipeline.workspace import Workspace
from glioma_os.records import FeatureTable
from glioma_os.training.progress import say
from glioma_os.training.run import digest


@dataclass(frozen=True)
class FeatureTables(FeatureSource):
    """Tables with one row a case: radiomics, a foundation model's embedding.

    `path`: a file, a list of files, or a pattern with *. `block` names the columns in reports. `drop`: columns that
    are no features, by name or pattern. `pattern`, a regular expression in the file's ids, becomes `to` in the
    cohort's. `encoder_patients`: unknown | none | a file of the encoder's training patients.
    """

    kind: ClassVar[str] = "csv"
    way: ClassVar[str] = "read feature tables, fuse them with clinical variables, predict"
    path: str | tuple[str, ...] = ()
    id_column: str = "case_id"
    block: str = "radiomics"
    drop: tuple[str, ...] = ()
    encoder_patients: str | None = "unknown"
    pattern: str | None = None
    to: str = ""
    missing: Literal["error", "drop", "keep", "learn"] = "error"  # type: ignore[misc]

    def __post_init__(self) -> None:
        if not self.path:
            raise ConfigError("features.path", "none found → a feature table expected", "Set features.path=FILE")

    def read(self, cohorts: Sequence[Cohort]) -> FeatureTable:
        """The table as it is; `provenance` says `encoder_patients` as ids of these cohorts, None = unknown."""
        table = read_feature_csv(self.path, self.id_column, self.block, self.drop, self.pattern, self.to)
        aliases = {patient: ids for cohort in cohorts for patient, ids in cohort.aliases().items()}
        people, listed = encoder_patients(self.encoder_patients, aliases)
        if listed:
            say(f"Training patients of the features' encoder: {listed} listed, {len(people or ())} of this study")
        return replace(table, provenance=table.provenance | {"encoder_patients": people})

    def opened(self, workspace: Workspace, cohorts: Sequence[Cohort]) -> FeatureTable:
        """`read`, once in a workspace."""
        key = digest(["features", str(self), [cohort.name for cohort in cohorts]])
        if key not in workspace.cache:
            workspace.cache[key] = self.read(cohorts)
        return workspace.cache[key]

    def eligible(
        self, workspace: Workspace, cohort: Cohort, cohorts: Sequence[Cohort], options: Eligibility
    ) -> Eligible:
        """With `missing=drop` cases without features are left out."""
        featured = set(self.opened(workspace, cohorts).case_ids) if self.missing == "drop" else None
        return eligible(cohort, options.resection, featured)

    def checked(
        self, workspace: Workspace, cohorts: Sequence[Cohort], eligibility: Eligibility, policy: LeakPolicy
    ) -> FeatureTable:
        """The table, if no column gives the outcome of an eligible patient away and the encoder's training patients
        are as the policy asks. `cohorts`: the training cohort first, the test cohort last."""
        table = self.opened(workspace, cohorts)
        key = digest(["checked", str([self, eligibility, policy]), [cohort.name for cohort in cohorts]])
        if key not in workspace.cache:
            held = set(table.case_ids)
            first, *others = cohorts
            featured = [one for one in others if any(case.case_id in held for case in one.cases())]
            studies = [self.eligible(workspace, one, cohorts, eligibility).cases for one in (first, *featured)]
            found = check_columns(table, studies, self.drop)
            tested = {case.patient_id for case in studies[-1]}
            seen_by_encoder(found, tested, "features", policy)
            workspace.cache[key] = found
        return workspace.cache[key]

    def check(self, workspace: Workspace, subjects: Subjects, eligibility: Eligibility, policy: LeakPolicy) -> None:
        """Reads and checks the table."""
        self.checked(workspace, [subjects.cohort], eligibility, policy)

    def content(self, workspace: Workspace, cohorts: Sequence[Cohort]) -> Any:
        """The files' digests."""
        return digest(self.opened(workspace, cohorts).provenance)

    def find(
        self, workspace: Workspace, subjects: Subjects, eligibility: Eligibility, policy: LeakPolicy
    ) -> FeaturesFound:
        """One table for all folds."""
        table = self.checked(workspace, [subjects.cohort], eligibility, policy)
        if self.missing in ("keep", "learn"):
            table = with_rows_for(table, [case.case_id for case in subjects.cases])
        return FeaturesFound(lambda repeat, fold: table, [table.provenance, self.missing])

    def external(self, workspace: Workspace, sides: ExternalSides) -> FeatureTable | None:
        """The same table for both sides."""
        cohorts = [workspace.cohort(one) for one in (*sides.train, sides.test)]
        table = self.checked(workspace, cohorts, sides.eligibility, sides.policy)
        ids = [case.case_id for case in (*sides.train_cases, *sides.test_cases)]
        return with_rows_for(table, ids) if self.missing in ("keep", "learn") else table

    def apply(self, workspace: Workspace, cohort: Component, segmenter: str | None) -> FeatureTable | None:
        """Outcomes are not looked at, so that no column is checked against them."""
        own = workspace.cohort(cohort)
        table = self.opened(workspace, [own])
        keep = self.missing in ("keep", "learn")
        return with_rows_for(table, [case.case_id for case in own.cases()]) if keep else table
