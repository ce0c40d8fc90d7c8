"""What every cohort offers."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict
from functools import cached_property
from pathlib import Path

from glioma_os.records import Case, Modality


class Cohort(ABC):
    """Cases of one source. `label_coding` None = it has no masks; `modalities` = what each of its cases should have."""

    name: str
    label_coding: str | None = None
    modalities: tuple[Modality, ...] = tuple(Modality)
    imaging_signal: float | None = None  # of simulated patients: correlation of the imaging trait with log survival

    @abstractmethod
    def _read(self) -> tuple[list[Case], list[tuple[str, str]]]:
        """Cases, and (case id, reason) of what was left out. Called once."""

    @cached_property
    def _parts(self) -> tuple[list[Case], list[tuple[str, str]]]:
        cases, excluded = self._read()
        return sorted(cases, key=lambda case: case.case_id), sorted(excluded)

    def cases(self) -> list[Case]:
        """All cases, sorted by id; no voxel is read."""
        return self._parts[0]

    def excluded(self) -> list[tuple[str, str]]:
        """(case id, reason) of what the source lists but cannot be used."""
        return self._parts[1]

    def aliases(self) -> dict[str, frozenset[str]]:
        """Patient id → every id the patient is known by, here and in other releases."""
        return {case.patient_id: frozenset({case.patient_id}) for case in self.cases()}

    def fingerprint(self, content: Callable[[Path], str] | None = None) -> str:
        """Hex sha256 of cases, clinical data and files' names, and of what `content` says that each file holds."""
        whole = hashlib.sha256()
        for case in self.cases():
            files = [*case.images.values(), *([case.label] if case.label else [])]
            found = [(file.name, content(file) if content else "") for file in files]
            clinical = sorted(asdict(case.clinical).items())
            outcome = asdict(case.outcome) if case.outcome else None
            whole.update(repr((case.case_id, case.patient_id, found, clinical, outcome)).encode())
        return whole.hexdigest()
