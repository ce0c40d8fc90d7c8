"""UCSF-PDGM (TCIA, doi 10.7937/tcia.bdgf-8v37): one table, four-digit folders, follow-up exams apart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from glioma_os.cohorts.clinical import (
    Excluded,
    Row,
    cases_of,
    parse_age,
    parse_extent,
    parse_idh,
    parse_word,
    read_table,
)
from glioma_os.cohorts.cohort import Cohort
from glioma_os.cohorts.outcomes import OutcomeColumns, check_median
from glioma_os.cohorts.vocabulary import MGMT, SEXES, is_blank
from glioma_os.errors import ConfigError, DataError
from glioma_os.records import Case, Clinical, Modality

ID = re.compile(r"UCSF-PDGM-(\d{3,4})(_FU\d+d)?", re.ASCII)
FILES = {Modality.T1: "T1", Modality.T1C: "T1c", Modality.T2: "T2", Modality.FLAIR: "FLAIR"}
OUTCOMES = OutcomeColumns("OS", "1-dead 0-alive", "days")


class UcsfCohort(Cohort):
    """First exams of `table` (metadata v2–v5); `grades` keeps these WHO grades, `idh` wildtype or mutant patients.

    The exam's id in BraTS2021 is an alias, so that overlap is seen. `root` holds UCSF-PDGM-0004_nifti and its like.
    """

    def __init__(
        self, table: str | Path | None, root: str | Path | None = None, grades: Sequence[int] = (4,),
        idh: str | None = "wildtype", name: str = "ucsf",
    ) -> None:  # fmt: skip
        if table is None:
            raise ConfigError("cohort.table", "not set → UCSF-PDGM's metadata CSV expected",
                              "Set cohort.table=FILE, or GLIOMA_OS_UCSF")  # fmt: skip
        if idh not in (None, "wildtype", "mutant"):
            raise ConfigError("cohort.idh", f"{idh!r} found → wildtype, mutant or null expected", "Correct the value")
        self.table, self.root, self.name = Path(table), Path(root) if root else None, name
        self.grades, self.idh = frozenset(map(int, grades)), idh
        self.modalities = tuple(Modality) if self.root else ()
        self.label_coding = "brats2020" if self.root else None
        self._names: dict[str, set[str]] = {}

    def _read(self) -> tuple[list[Case], list[Excluded]]:
        rows = read_table(self.table, ("ID",), [("Age at MRI",), ("OS",), ("1-dead 0-alive",)])
        seen: dict[str, str] = {}
        cases, excluded = cases_of(self.table, rows, lambda row: self._case(row, seen))
        check_median(self.table, OUTCOMES.time, cases)
        return cases, excluded

    def _case(self, row: Row, seen: dict[str, str]) -> Case | Excluded:
        match = ID.fullmatch(row.id)
        if not match:
            raise DataError(row.where, f"id {row.id!r} found → UCSF-PDGM-004 expected", "Correct the id")
        patient = f"UCSF-PDGM-{int(match[1]):04d}"
        exam = patient + (match[2] or "")
        if exam in seen:
            raise DataError(row.where, f"{exam} of {seen[exam]} found again → one row per exam expected", "Keep one")
        seen[exam] = row.where
        clinical, (outcome, unknown) = _clinical(row), OUTCOMES.read(row)
        images, label = self._images(patient)
        reason = self._exclusion_reason(row, clinical, bool(match[2])) or unknown
        if reason or (self.root and not images):
            return row.id, reason or "no images"
        self._names[patient] = {name for name in (row.id, row.pick("BraTS21 ID")) if not is_blank(name)}
        return Case(patient, patient, self.name, "UCSF", images, label, clinical, outcome)

    def _exclusion_reason(self, row: Row, clinical: Clinical, follow_up: bool) -> str:
        """Why a row is left out; blank if it is not."""
        if follow_up:
            return "follow-up exam"
        if self.grades and row.pick("WHO CNS Grade").removesuffix(".0") not in {str(grade) for grade in self.grades}:
            return f"WHO grade not in {sorted(self.grades)}"
        if self.idh is not None and clinical.idh_mutant is not (self.idh == "mutant"):
            return f"IDH not {self.idh}"
        return ""

    def _images(self, patient: str) -> tuple[dict[Modality, Path], Path | None]:
        if self.root is None:
            return {}, None
        folder = self.root / f"{patient}_nifti"
        images = {m: folder / f"{patient}_{word}.nii.gz" for m, word in FILES.items()}
        label = folder / f"{patient}_tumor_segmentation.nii.gz"
        return {m: path for m, path in images.items() if path.exists()}, label if label.exists() else None

    def aliases(self) -> dict[str, frozenset[str]]:
        """Own id with four digits and as the table spells it, and the one in BraTS2021."""
        return {patient: names | self._names[patient] for patient, names in super().aliases().items()}


def _clinical(row: Row) -> Clinical:
    return Clinical(
        age_years=parse_age(*row.at("Age at MRI")),
        sex=parse_word(*row.at("Sex"), "sex", SEXES),
        extent=parse_extent(*row.at("EOR")),
        idh_mutant=parse_idh(*row.at("IDH")),
        mgmt_methylated=parse_word(*row.at("MGMT status"), "MGMT status", MGMT),
    )
