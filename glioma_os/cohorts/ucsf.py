"""UCSF-PDGM (TCIA, doi 10.7937/tcia.bdgf-8v37): one table, four-digit folders, follow-up exams apart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from glioma_os.cohorts.clinical import (
    SEXES,
    Excluded,
    Row,
    cases_of,
    is_blank,
    parse_age,
    parse_choice,
    parse_days,
    parse_extent,
    pick,
    read_table,
)
from glioma_os.cohorts.cohort import Cohort
from glioma_os.errors import ConfigError, DataError
from glioma_os.records import Case, Clinical, Modality, Outcome

ID = re.compile(r"UCSF-PDGM-(\d{3,4})(_FU\d+d)?")
FILES = {Modality.T1: "T1", Modality.T1C: "T1c", Modality.T2: "T2", Modality.FLAIR: "FLAIR"}
MGMT: dict[str, object] = {"positive": True, "negative": False, "indeterminate": None}
DEATHS: dict[str, object] = {"0": False, "1": True}
MUTATION = re.compile(r"mutated|mutant|\br\d{3}[a-z]\b|\barg\d{3}[a-z]{3}\b")  # p.R132H, R172K, p.Arg132His, mutated


class UcsfCohort(Cohort):
    """First exams of `table` (metadata v2–v5); `grades` keeps these WHO grades, `idh` wildtype or mutant patients.

    The exam's id in BraTS2021 is an alias, so that overlap is seen. `root` holds UCSF-PDGM-0004_nifti and its like.
    """

    def __init__(
        self, table: str | Path | None, root: str | Path | None = None, grades: Sequence[int] = (4,),
        idh: str | None = "wildtype", name: str = "ucsf",
    ) -> None:  # fmt: skip
        if table is None:
            raise ConfigError("cohort.table", "null found → UCSF-PDGM's metadata CSV expected",
                              "Set cohort.table=FILE, or GLIOMA_OS_UCSF")  # fmt: skip
        if idh not in (None, "wildtype", "mutant"):
            raise ConfigError("cohort.idh", f"{idh!r} found → wildtype, mutant or null expected", "Correct the key")
        self.table, self.root, self.name = Path(table), Path(root) if root else None, name
        self.grades, self.idh = frozenset(map(int, grades)), idh
        self.modalities = tuple(Modality) if self.root else ()
        self.label_coding = "brats2020" if self.root else None
        self._names: dict[str, set[str]] = {}

    def _read(self) -> tuple[list[Case], list[Excluded]]:
        rows = read_table(self.table, ("ID",), [("Age at MRI",), ("OS",), ("1-dead 0-alive",)])
        seen: dict[str, str] = {}
        return cases_of(self.table, rows, lambda row: self._case(row, seen))

    def _case(self, row: Row, seen: dict[str, str]) -> Case | Excluded:
        match = ID.fullmatch(row["id"])
        if not match:
            raise DataError(row["row"], f"id {row['id']!r} found → UCSF-PDGM-004 expected", "Correct the id")
        patient = f"UCSF-PDGM-{int(match[1]):04d}"
        exam = patient + (match[2] or "")
        if exam in seen:
            raise DataError(row["row"], f"{exam} of {seen[exam]} again found → one row an exam", "Keep one")
        seen[exam] = row["row"]
        clinical, outcome = _clinical(row), _outcome(row)
        images, label = self._images(patient)
        reason = self._unwanted(row, clinical, bool(match[2]), outcome is None, bool(self.root and not images))
        if reason:
            return row["id"], reason
        self._names[patient] = {name for name in (row["id"], pick(row, "BraTS21 ID")) if not is_blank(name)}
        return Case(patient, patient, self.name, "UCSF", images, label, clinical, outcome)

    def _unwanted(self, row: Row, clinical: Clinical, follow_up: bool, unknown: bool, imageless: bool) -> str:
        """Why a row is left out; blank if it is not."""
        if follow_up:
            return "follow-up exam"
        if self.grades and pick(row, "WHO CNS Grade") not in {str(grade) for grade in self.grades}:
            return f"WHO grade not in {sorted(self.grades)}"
        if self.idh is not None and clinical.idh_mutant is not (self.idh == "mutant"):
            return f"IDH not {self.idh}"
        if unknown:
            return "no survival recorded"
        return "no images" if imageless else ""

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
    def at(column: str) -> tuple[str, str]:
        return pick(row, column), f"{row['row']}, column {column}"

    idh = pick(row, "IDH").lower()
    if not is_blank(idh) and "wildtype" not in idh and not MUTATION.search(idh):
        raise DataError(at("IDH")[1], f"{idh!r} found → wildtype, or a mutation such as R132H, expected",
                        "Correct the cell")  # fmt: skip
    return Clinical(
        age_years=parse_age(*at("Age at MRI")),
        sex=parse_choice(*at("Sex"), "sex", SEXES),  # type: ignore[arg-type]
        extent=parse_extent(*at("EOR")),
        idh_mutant=None if is_blank(idh) else "wildtype" not in idh,
        mgmt_methylated=parse_choice(*at("MGMT status"), "MGMT status", MGMT),  # type: ignore[arg-type]
    )


def _outcome(row: Row) -> Outcome | None:
    where = f"{row['row']}, column OS"
    event = parse_choice(pick(row, "1-dead 0-alive"), where, "1-dead 0-alive", DEATHS)
    if event is None or is_blank(pick(row, "OS")):
        return None
    return Outcome(parse_days(pick(row, "OS"), where), bool(event))
