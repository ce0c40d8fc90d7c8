"""UPENN-GBM (TCIA, doi 10.7937/TCIA.709X-DN49): one clinical table, follow-up scans apart, images where they lie."""

from __future__ import annotations

import re
from pathlib import Path

from glioma_os.cohorts.clinical import (
    Excluded,
    Row,
    cases_of,
    is_blank,
    parse_age,
    parse_choice,
    parse_days,
    parse_points,
    pick,
    read_table,
)
from glioma_os.cohorts.cohort import Cohort
from glioma_os.cohorts.crosswalk import with_names
from glioma_os.errors import ConfigError, DataError
from glioma_os.records import Case, Clinical, Extent, Modality, Outcome

ID = re.compile(r"(UPENN-GBM-\d{5})_(11|21)")
BASELINE, FOLLOW_UP = "11", "21"
FILES = {Modality.T1: "T1", Modality.T1C: "T1GD", Modality.T2: "T2", Modality.FLAIR: "FLAIR"}
MASKS = ("images_segm/{}_segm.nii.gz", "automated_segm/{}_automated_approx_segm.nii.gz")
DAYS_COLUMNS = ("Survival_from_surgery_days_UPDATED", "Survival_from_surgery_days")
SEXES: dict[str, object] = {"f": "F", "m": "M"}
IDH: dict[str, object] = {"wildtype": False, "mutated": True, "nos/nec": None}
MGMT: dict[str, object] = {"methylated": True, "unmethylated": False, "indeterminate": None}
RESECTED: dict[str, object] = {"y": Extent.GTR, "n": Extent.STR, "not applicable": None}
DEAD, LIVING, UNSURE = "dead", "living", "unsure"
STATUS: dict[str, object] = {
    "deceased": DEAD, "alive": LIVING, "lost to follow-up": LIVING, "deceased - uncertain date of death": UNSURE,
}  # fmt: skip


class UpennCohort(Cohort):
    """Baseline scans of `table` (clinical info v1 or v2), survival from surgery; `root` holds images_structural.

    Follow-up scans, deaths of uncertain date and rows without survival are listed as excluded. `crosswalk`: a CSV
    whose rows hold one patient's ids in several sources.
    """

    def __init__(
        self, table: str | Path | None, root: str | Path | None = None, crosswalk: str | Path | None = None,
        name: str = "upenn",
    ) -> None:  # fmt: skip
        if table is None:
            raise ConfigError("cohort.table", "null found → UPENN-GBM's clinical CSV expected",
                              "Set cohort.table=FILE, or GLIOMA_OS_UPENN")  # fmt: skip
        self.table, self.root, self.name = Path(table), Path(root) if root else None, name
        self.modalities = tuple(Modality) if self.root else ()
        self.label_coding = "brats2020" if self.root else None
        self._crosswalk = None if crosswalk is None else Path(crosswalk)

    def _read(self) -> tuple[list[Case], list[Excluded]]:
        rows = read_table(self.table, ("ID",), [("Age_at_scan_years",), DAYS_COLUMNS])
        return cases_of(self.table, rows, self._case)

    def _case(self, row: Row) -> Case | Excluded:
        match = ID.fullmatch(row["id"])
        if not match:
            raise DataError(row["row"], f"id {row['id']!r} found → UPENN-GBM-00001_11 expected", "Correct the id")
        outcome, reason = _outcome(row)
        images, label = self._images(row["id"])
        if match[2] != BASELINE:
            return row["id"], "follow-up scan"
        if outcome is None:
            return row["id"], reason
        if self.root and not images:
            return row["id"], "no images"
        return Case(row["id"], match[1], self.name, "UPENN", images, label, _clinical(row), outcome)

    def _images(self, case_id: str) -> tuple[dict[Modality, Path], Path | None]:
        if self.root is None:
            return {}, None
        folder = self.root / "images_structural" / case_id
        images = {m: folder / f"{case_id}_{word}.nii.gz" for m, word in FILES.items()}
        masks = [self.root / pattern.format(case_id) for pattern in MASKS]
        found = {m: path for m, path in images.items() if path.exists()}
        return found, next((path for path in masks if path.exists()), None)

    def aliases(self) -> dict[str, frozenset[str]]:
        """Patient id → itself, its scans, and what the crosswalk adds."""
        own = {p: frozenset({p, f"{p}_{BASELINE}", f"{p}_{FOLLOW_UP}"}) for p in super().aliases()}
        return with_names(own, self._crosswalk)


def _clinical(row: Row) -> Clinical:
    def word(column: str, choices: dict[str, object]) -> object | None:
        return parse_choice(pick(row, column), f"{row['row']}, column {column}", column, choices)

    return Clinical(
        age_years=parse_age(pick(row, "Age_at_scan_years"), f"{row['row']}, column Age_at_scan_years"),
        sex=word("Gender", SEXES),  # type: ignore[arg-type]
        kps=parse_points(pick(row, "KPS"), f"{row['row']}, column KPS"),
        extent=word("GTR_over90percent", RESECTED),  # type: ignore[arg-type]
        idh_mutant=word("IDH1", IDH),  # type: ignore[arg-type]
        mgmt_methylated=word("MGMT", MGMT),  # type: ignore[arg-type]
    )


def _outcome(row: Row) -> tuple[Outcome | None, str]:
    """A death's days and a survivor's follow-up stand in separate columns. Table v1 has no status: days are deaths."""
    days, followed = pick(row, *DAYS_COLUMNS), pick(row, "Survival_Censor")
    where, at = f"{row['row']}, column {DAYS_COLUMNS[0]}", f"{row['row']}, column Survival_Status"
    if "survival_status" not in row:
        return (None, "no survival recorded") if is_blank(days) else (Outcome(parse_days(days, where), True), "")
    status = parse_choice(pick(row, "Survival_Status"), at, "status", STATUS)
    if status == DEAD:
        if is_blank(days):
            raise DataError(where, "a death without a time found → days expected", "Fill the cell, or mend the status")
        return Outcome(parse_days(days, where), True), ""
    if not is_blank(days):
        raise DataError(at, f"{pick(row, 'Survival_Status')!r} beside a day of death found → Deceased expected",
                        "Mend the status, or move the day to Survival_Censor")  # fmt: skip
    if status == LIVING and not is_blank(followed):
        return Outcome(parse_days(followed, f"{row['row']}, column Survival_Censor"), False), ""
    return None, {UNSURE: "date of death uncertain", LIVING: "no follow-up recorded"}.get(
        str(status), "no survival recorded"
    )
