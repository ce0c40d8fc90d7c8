"""One patient, many names: name mappings of the releases, and crosswalks between archives."""

from __future__ import annotations

from pathlib import Path

from glioma_os.cohorts.patient_ids import PUBLIC_ID, patient_of
from glioma_os.cohorts.table_reader import read_text_table
from glioma_os.cohorts.vocabulary import is_blank


def mapped_names(path: Path) -> list[frozenset[str]]:
    """The names of one patient in each row of a mapping: cells of `…subject_id` columns, public ids anywhere."""
    table = read_text_table(path)
    titled = {place for place, name in enumerate(table.columns) if "subject_id" in name.lower()}
    return [
        frozenset(
            name
            for place, cell in enumerate(cells)
            for name in (cell, patient_of(cell))
            if not is_blank(cell) and (place in titled or PUBLIC_ID.fullmatch(cell))
        )
        for _, cells in table.lines
    ]


def with_names(own: dict[str, frozenset[str]], mapping: Path | None) -> dict[str, frozenset[str]]:
    """Patient → names, with those that the rows of a mapping add to any of them."""
    if mapping is None:
        return own
    holders = {name: patient for patient, names in own.items() for name in names}
    out = dict(own)
    for names in mapped_names(mapping):
        for patient in {holders[name] for name in names & holders.keys()}:
            out[patient] |= names
    return out
