"""UPENN-GBM (TCIA, doi 10.7937/TCIA.709X-DN49): one clinical table, follow-up scans apart, images where they lie."""

from __future__ import annotations

import re
from pathlib import Path

from glioma_os.cohorts.clinical import (
    Excluded,
    Row,
    cases_of,
    parse_age,
    parse_idh,
    parse_points,
    parse_word,
    read_table,
)
from glioma_os.cohorts.cohort import Cohort
from glioma_os.cohorts.crosswalk import with_names
from glioma_os.cohorts.outcomes import NO_SURVIVAL, check_median, outcome_of, parse_days
from glioma_os.cohorts.vocabulary import CENSORED, DIED, MGMT, SEXES, UPENN_RESECTED, UPENN_STATUS, is_blank
from glioma_os.errors import ConfigError, DataError
from glioma_os.records import Case, Clinical, Modality, Outcome

ID = re.compile(r"(UPENN-GBM-\d{5})_(11|21)", re.ASCII)
BASELINE, FOLLOW_UP = "11", "21"
FILES = {Modality.T1: "T1", Modality.T1C: "T1GD", Modality.T2: "T2", Modality.FLAIR: "FLAIR"}
MASKS = ("images_segm/{}_segm.nii.gz", "automated_segm/{}_automated_approx_segm.nii.gz")
DAYS_COLUMNS = ("Survival_from_surgery_days_UPDATED", "Survival_from_surgery_days")


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
            raise ConfigError("cohort.table", "not set → UPENN-GBM's clinical CSV expected",
                              "Set cohort.table=FILE, or GLIOMA_OS_UPENN")  # fmt: skip
        self.table, self.root, self.name = Path(table), Path(root) if root else None, name
        self.modalities = tuple(Modality) if self.root else ()
        self.label_coding = "brats2020" if self.root else None
        self._crosswalk = None if crosswalk is None else Path(crosswalk)

    def _read(self) -> tuple[list[Case], list[Excluded]]:
        rows = read_table(self.table, ("ID",), [("Age_at_scan_years",), DAYS_COLUMNS])
        cases, excluded = cases_of(self.table, rows, self._case)
        check_median(self.table, DAYS_COLUMNS[0], cases)
        return cases, excluded

    def _case(self, row: Row) -> Case | Excluded:
        match = ID.fullmatch(row.id)
        if not match:
            raise DataError(row.where, f"id {row.id!r} found → UPENN-GBM-00001_11 expected", "Correct the id")
        outcome, reason = _outcome(row)
        images, label = self._images(row.id)
        if match[2] != BASELINE:
            return row.id, "follow-up scan"
        if outcome is None:
            return row.id, reason
        if self.root and not images:
            return row.id, "no images"
        return Case(row.id, match[1], self.name, "UPENN", images, label, _clinical(row), outcome)

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
    return Clinical(
        age_years=parse_age(*row.at("Age_at_scan_years")),
        sex=parse_word(*row.at("Gender"), "Gender", SEXES),
        kps=parse_points(*row.at("KPS")),
        extent=parse_word(*row.at("GTR_over90percent"), "GTR_over90percent", UPENN_RESECTED),
        idh_mutant=parse_idh(*row.at("IDH1")),
        mgmt_methylated=parse_word(*row.at("MGMT"), "MGMT", MGMT),
    )


def _outcome(row: Row) -> tuple[Outcome | None, str]:
    """A death's days and a survivor's follow-up stand in separate columns. Table v1 has no status: days are deaths."""
    days, where = row.at(*DAYS_COLUMNS)
    if not row.has("Survival_Status"):
        return (None, NO_SURVIVAL) if is_blank(days) else outcome_of(parse_days(days, where), True)
    status = parse_word(*row.at("Survival_Status"), "status", UPENN_STATUS)
    if status == DIED:
        if is_blank(days):
            raise DataError(
                where, "a death without a time found → days expected", "Fill the cell or correct the status"
            )
        return outcome_of(parse_days(days, where), True)
    text, at = row.at("Survival_Status")
    if not is_blank(days):
        raise DataError(at, f"{text!r} beside a day of death found → Deceased expected",
                        "Correct the status, or move the day to Survival_Censor")  # fmt: skip
    followed = row.pick("Survival_Censor")
    if status == CENSORED:
        if is_blank(followed):
            return None, "no follow-up recorded"
        return outcome_of(parse_days(*row.at("Survival_Censor")), False)
    return None, status or NO_SURVIVAL
