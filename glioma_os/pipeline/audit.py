"""Patients that appear twice in a cohort or in another one, and feature columns that give the outcome away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from glioma_os.cohorts.cohort import Cohort
from glioma_os.cohorts.overlap import (
    SharedPatient,
    ages_tell,
    repeated_patients,
    shared_patients,
    suspected_patients,
)
from glioma_os.pipeline.feature_checks import drop_words, inspect
from glioma_os.pipeline.step import Step
from glioma_os.pipeline.workspace import Workspace
from glioma_os.records import Case, Extent, FeatureTable
from glioma_os.reporting.result_files import csv_bytes
from glioma_os.training.progress import track
from glioma_os.training.run import Run, digest
from glioma_os.volumes.atomic import PRIVATE, atomic_write


@dataclass(frozen=True)
class AuditColumns:
    """A feature table, the eligible cases whose outcomes its columns are held against, and what is dropped already."""

    table: FeatureTable
    cases: Sequence[Case]
    dropped: tuple[str, ...]

    def findings(self) -> dict[str, Any]:
        """Columns that cannot be features, and what selection by the outcome is suspected of."""
        leaking, suspicion = inspect(self.table, self.cases)
        return {
            "columns": len(self.table.names),
            "leaking": [[finding.column, finding.reason] for finding in leaking],
            "drop": drop_words(self.table, leaking, self.dropped) if leaking else "",
            "suspected": None if suspicion is None else suspicion.reason,
        }


@dataclass(frozen=True)
class AuditCohort(Step):
    """What a cohort shares with itself and with `others`, by role."""

    stage: ClassVar[str] = "audit"
    version: ClassVar[int] = 5
    guards: ClassVar[tuple[str, ...]] = ("glioma_os.cohorts.overlap", "glioma_os.fusion.leaks",
                                         "glioma_os.pipeline.audit")  # fmt: skip
    cohorts: Mapping[str, Any]
    source: Any
    voxels: bool
    own: Cohort = field(compare=False)
    others: Mapping[str, Cohort] = field(compare=False)
    columns: AuditColumns | None = field(compare=False)

    @classmethod
    def of(
        cls, workspace: Workspace, own: Cohort, others: Mapping[str, Cohort], columns: AuditColumns | None,
        voxels: bool, seed: int,
    ) -> AuditCohort:  # fmt: skip
        """The step. `voxels`: images are compared too."""
        content = workspace.store.sha256 if voxels else None
        cohorts = {role: identity(cohort, content) for role, cohort in {"own": own, **others}.items()}
        source = None
        if columns is not None:
            source = [columns.table.provenance, sorted(case.case_id for case in columns.cases), columns.dropped]
        return cls(seed, cohorts, source, voxels, own, others, columns)

    def work(self, workspace: Workspace, run: Run) -> None:
        """audit.json with the counts, shared.csv with the pairs (owner-only)."""
        own, rows, compared = self.own, [], {}
        for role, side in {"itself": own, **self.others}.items():
            found = (
                repeated_patients(own, self.voxels, track) if role == "itself"
                else shared_patients(own, side, self.voxels, track)
            )  # fmt: skip
            suspected, expected = suspected_patients(own, side, found)
            rows += [[side.name, pair.own, pair.other, pair.evidence] for pair in [*found, *suspected]]
            compared[role] = _counts(own, side, found, suspected, expected)
        atomic_write(run.path("shared.csv"), csv_bytes(["cohort", "patient_id", "other_id", "evidence"], rows), PRIVATE)
        run.write_json("audit.json", {
            "cohort": own.name,
            "follow_ups_left_out": sum("follow-up" in reason for _, reason in own.excluded()),
            "sessions_beyond_the_first": len(own.cases()) - len({c.patient_id for c in own.cases()}),
            "compared": compared,
            "features": None if self.columns is None else self.columns.findings(),
        })  # fmt: skip


def identity(cohort: Cohort, content: Callable[[Path], str] | None = None) -> list[str]:
    """What finding its patients elsewhere depends on: its cases, the ids they are known by, who was left out.

    `content`: tells what an image holds, where that matters."""
    names = {patient: sorted(ids) for patient, ids in cohort.aliases().items()}
    return [cohort.name, cohort.fingerprint(content), digest([names, cohort.excluded()])]


def _counts(
    own: Cohort, other: Cohort, found: list[SharedPatient], suspected: list[SharedPatient], expected: float
) -> dict[str, Any]:
    """How many, by evidence; how many of those died after gross total resection; how many pairs are suspected."""
    people = {pair.own for pair in found}
    cases = [case for case in own.cases() if case.outcome is not None]
    deaths = {c.patient_id for c in cases if c.clinical.extent is Extent.GTR and c.outcome and c.outcome.event}
    return {
        "with": other.name,
        "shared": len(people),
        "of": len({case.patient_id for case in cases} or {case.patient_id for case in own.cases()}),
        "shared_gtr_deaths": len(people & deaths),
        "of_gtr_deaths": len(deaths),
        "evidence": dict(Counter(pair.evidence for pair in found)),
        "ages_tell": ages_tell(own, other),
        "suspected": len(suspected),
        "suspected_by_chance": round(expected, 1),
    }
