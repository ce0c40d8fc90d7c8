"""A hospital's cohort: one CSV, one row per session, with clinical data and image paths."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from glioma_os.cohorts.clinical import Excluded, Row, cases_of, parse_clinical, parse_site, parse_word, read_table
from glioma_os.cohorts.cohort import Cohort
from glioma_os.cohorts.outcomes import DECLARE_UNIT, OutcomeColumns, check_median
from glioma_os.cohorts.patient_ids import compile_pattern
from glioma_os.cohorts.vocabulary import is_blank
from glioma_os.errors import ConfigError, DataError
from glioma_os.records import Case, Modality
from glioma_os.volumes.conventions import coding

REQUIRED = (("age",), ("os_days",), ("event",))
ORIGINS = {"surgery": "surgery", "diagnosis": "diagnosis", "scan": "scan"}
MIN_FOR_EVENTS = 25  # fewer can all have died by chance


class BestaCohort(Cohort):
    """Columns: patient_id, age, os_days, event (1 = died), and t1, t1c, t2, flair paths (at least one); optional
    session_id, site, sex, kps, eor, idh, mgmt, os_origin, seg. Blank = not recorded; a case without time or
    event keeps `outcome` None. Ids must be pseudonyms. `time_unit` and `event_values` as in TableCohort.
    """

    def __init__(
        self, table: str | Path | None, root: str | Path | None = None, modalities: Sequence[str] = ("t1c", "flair"),
        id_pattern: str = r"^BESTA-\d{4}$", label_coding: str = "brats2020", time_unit: str | None = None,
        event_values: Mapping[object, str] | None = None, name: str = "besta",
    ) -> None:  # fmt: skip
        if table is None:
            raise ConfigError("cohort.table", "not set → the hospital's CSV expected",
                              "Set cohort.table=FILE, or GLIOMA_OS_BESTA")  # fmt: skip
        self.table, self.name, self.label_coding = Path(table), name, coding(label_coding).name
        self.root = Path(root) if root is not None else self.table.parent
        self.modalities = tuple(Modality(word) for word in modalities)
        self._pattern = compile_pattern(id_pattern, "cohort.id_pattern", groups=0)
        self.outcomes = OutcomeColumns.declared("os_days", "event", time_unit, event_values)

    def _read(self) -> tuple[list[Case], list[Excluded]]:
        rows = read_table(self.table, ("patient_id",), REQUIRED, session_column="session_id")
        cases, excluded = cases_of(self.table, rows, self._case)
        events = {case.outcome.event for case in cases if case.outcome}
        if len(cases) >= MIN_FOR_EVENTS and len(events) == 1:
            raise DataError(
                f"{self.table}, column event", f"only {int(events.pop())} found → deaths (1) and censored (0) expected",
                "Check that 1 means died; a cohort without any censored patient is unusual",
            )  # fmt: skip
        if self.outcomes.unit is None:
            check_median(self.table, self.outcomes.time, cases, DECLARE_UNIT)
        return cases, excluded

    def _case(self, row: Row) -> Case | Excluded:
        patient = self._pseudonym(row)
        session = row.pick("session_id")
        case_id = f"{patient}_{session}" if session else patient
        images = self._images(row)
        missing = [modality for modality in self.modalities if modality not in images]
        if missing:
            return case_id, f"no {' and no '.join(missing)} image"
        label, clinical = self._path(row, "seg"), parse_clinical(row)
        parse_word(*row.at("os_origin"), "os_origin", ORIGINS)
        outcome, _ = self.outcomes.read(row)
        return Case(case_id, patient, self.name, parse_site(row), images, label, clinical, outcome)

    def _pseudonym(self, row: Row) -> str:
        """The patient id, if it has the declared shape; the message does not repeat what may be a name."""
        patient = row.id
        if not self._pattern.fullmatch(patient):
            raise DataError(
                f"{row.where}, column patient_id",
                f"an id of {len(patient)} characters that is no pseudonym found → {self._pattern.pattern} expected",
                "Replace names, dates and record numbers before loading",
            )  # fmt: skip
        return patient

    def _images(self, row: Row) -> dict[Modality, Path]:
        found = {modality: self._path(row, modality.value) for modality in Modality}
        return {modality: path for modality, path in found.items() if path is not None}

    def _path(self, row: Row, column: str) -> Path | None:
        text, where = row.at(column)
        if is_blank(text):
            return None
        path = self.root / text
        if ".." in Path(text).parts or (Path(text).is_absolute() and not path.is_relative_to(self.root)):
            raise DataError(where, "a path that leaves the data folder found → one inside",
                            "Set cohort.root to the folder that holds the images")  # fmt: skip
        if not os.path.isfile(path):
            raise DataError(where, f"no file {text!r} found → an image expected",
                            "Correct the path; paths are relative to cohort.root or to the table")  # fmt: skip
        return path
