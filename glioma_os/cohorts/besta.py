"""A hospital's cohort: one CSV, one row a session, image paths beside what is known of the patient."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from glioma_os.cohorts.clinical import (
    Excluded,
    Row,
    cases_of,
    is_blank,
    parse_choice,
    parse_clinical,
    parse_days,
    parse_site,
    pick,
    read_table,
)
from glioma_os.cohorts.cohort import Cohort
from glioma_os.errors import ConfigError, DataError
from glioma_os.records import Case, Clinical, Modality, Outcome
from glioma_os.volumes.conventions import coding

REQUIRED = (("age",), ("os_days",), ("event",))
ORIGINS: dict[str, object] = {"surgery": "surgery", "diagnosis": "diagnosis", "scan": "scan"}
MIN_FOR_EVENTS = 25  # fewer can all have died by chance


class BestaCohort(Cohort):
    """Columns: patient_id, age, os_days, event (1 = died), and t1, t1c, t2, flair paths (at least one); optional
    session_id, site, sex, kps, eor, idh, mgmt, os_origin, seg. Blank = not recorded. Ids must be pseudonyms.
    """

    def __init__(
        self, table: str | Path | None, root: str | Path | None = None, modalities: Sequence[str] = ("t1c", "flair"),
        id_pattern: str = r"^BESTA-\d{4}$", label_coding: str = "brats2020", name: str = "besta",
    ) -> None:  # fmt: skip
        if table is None:
            raise ConfigError("cohort.table", "null found → the hospital's CSV expected",
                              "Set cohort.table=FILE, or GLIOMA_OS_BESTA")  # fmt: skip
        self.table, self.name, self.label_coding = Path(table), name, coding(label_coding).name
        self.root = Path(root) if root is not None else self.table.parent
        self.modalities = tuple(Modality(word) for word in modalities)
        self._pattern = re.compile(id_pattern)

    def _read(self) -> tuple[list[Case], list[Excluded]]:
        rows = read_table(self.table, ("patient_id",), REQUIRED, session_column="session_id")
        cases, excluded = cases_of(self.table, rows, self._case)
        events = {case.outcome.event for case in cases if case.outcome}
        if len(cases) >= MIN_FOR_EVENTS and len(events) == 1:
            raise DataError(
                f"{self.table}, column event", f"only {int(events.pop())} found → deaths (1) and censored (0) expected",
                "Check that 1 means died; a cohort without any censored patient is unusual",
            )  # fmt: skip
        return cases, excluded

    def _case(self, row: Row) -> Case | Excluded:
        patient = self._pseudonym(row)
        session = pick(row, "session_id")
        case_id = f"{patient}_{session}" if session else patient
        images = self._images(row)
        missing = [modality for modality in self.modalities if modality not in images]
        if missing:
            return case_id, f"no {' and no '.join(missing)} image"
        label = self._path(row, "seg")
        return Case(case_id, patient, self.name, parse_site(row), images, label, *_known(row))

    def _pseudonym(self, row: Row) -> str:
        """The patient id, if it has the declared shape; the message does not repeat what may be a name."""
        patient = row["patient_id"]
        if not self._pattern.fullmatch(patient):
            raise DataError(
                f"{row['row']}, column patient_id",
                f"an id of {len(patient)} characters that is no pseudonym found → {self._pattern.pattern} expected",
                "Replace names, dates and record numbers before loading",
            )  # fmt: skip
        return patient

    def _images(self, row: Row) -> dict[Modality, Path]:
        found = {modality: self._path(row, modality.value) for modality in Modality}
        return {modality: path for modality, path in found.items() if path is not None}

    def _path(self, row: Row, column: str) -> Path | None:
        text = pick(row, column)
        if is_blank(text):
            return None
        path = self.root / text
        if ".." in Path(text).parts or (Path(text).is_absolute() and not path.is_relative_to(self.root)):
            raise DataError(f"{row['row']}, column {column}", "a path that leaves the data folder found → one inside",
                            "Set cohort.root to the folder that holds the images")  # fmt: skip
        if not path.is_file():
            raise DataError(f"{row['row']}, column {column}", f"no file {text!r} found → an image expected",
                            "Correct the path; paths are relative to cohort.root or to the table")  # fmt: skip
        return path


def _known(row: Row) -> tuple[Clinical, Outcome]:
    def where(column: str) -> str:
        return f"{row['row']}, column {column}"

    event = parse_choice(pick(row, "event"), where("event"), "event", {"0": False, "1": True})
    if event is None:
        raise DataError(where("event"), "blank found → 0 (censored) or 1 (died) expected", "Fill the cell")
    parse_choice(pick(row, "os_origin"), where("os_origin"), "os_origin", ORIGINS)
    return parse_clinical(row), Outcome(parse_days(pick(row, "os_days"), where("os_days")), bool(event))
