"""One patient, many names: name mappings of the releases, and crosswalks between archives."""

from __future__ import annotations

import re
from pathlib import Path

from glioma_os.cohorts.clinical import is_blank, read_cells

# Ids of public sources. In a column of any name, a cell of such a shape is a patient's name and nothing else.
PUBLIC_ID = re.compile(
    r"Brats1[78]_\w+|BraTS19_\w+|BraTS20_(Training|Validation)_\d+|BraTS2021_\d+|BraTS-GLI-\d+(-\d+)?"
    r"|TCGA-\w\w-\w{4}|UPENN-GBM-\d{5}(_\d\d)?|UCSF-PDGM-\d{3,4}(_FU\d+d)?"
)


def mapped_names(path: Path) -> list[frozenset[str]]:
    """The names of one patient in each row of a mapping: cells of `…subject_id` columns, public ids anywhere."""
    header, lines = read_cells(path)
    titled = {place for place, name in enumerate(header) if "subject_id" in name}
    return [
        frozenset(
            cell.strip()
            for place, cell in enumerate(cells)
            if not is_blank(cell) and (place in titled or PUBLIC_ID.fullmatch(cell.strip()))
        )
        for _, cells in lines
    ]


def with_names(own: dict[str, frozenset[str]], mapping: Path | None) -> dict[str, frozenset[str]]:
    """Patient → names, with those that the rows of a mapping add to any of them."""
    if mapping is None:
        return own
    patient_of = {name: patient for patient, names in own.items() for name in names}
    out = dict(own)
    for names in mapped_names(mapping):
        for patient in {patient_of[name] for name in names & patient_of.keys()}:
            out[patient] |= names
    return out
