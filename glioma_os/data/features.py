"""Feature tables on disk: an .npz without objects, its provenance as .json, and encoders' training patients."""

from __future__ import annotations

import io
import json
import os
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from glioma_os.cohorts.table_reader import decode
from glioma_os.errors import ConfigError, DataError, IntegrityError
from glioma_os.records import FeatureTable
from glioma_os.volumes.atomic import PRIVATE, atomic_write


def write_features(table: FeatureTable, path: Path) -> None:
    """Writes `path` (.npz) and its .json, each atomically."""
    buffer = io.BytesIO()
    np.savez(
        buffer, values=table.values.astype(np.float32), case_ids=np.array(table.case_ids, dtype=str),
        names=np.array(table.names, dtype=str), blocks=np.array(table.blocks, dtype=str),
    )  # fmt: skip
    atomic_write(path, buffer.getvalue(), PRIVATE)
    atomic_write(path.with_suffix(".json"), json.dumps(table.provenance, indent=1).encode(), PRIVATE)


def read_features(path: Path) -> FeatureTable:
    """Reads what `write_features` wrote; a damaged file is an IntegrityError."""
    try:
        with np.load(path, allow_pickle=False) as file:
            parts = {name: file[name] for name in ("values", "case_ids", "names", "blocks")}
        provenance = json.loads(path.with_suffix(".json").read_text())
    except (OSError, ValueError, KeyError, EOFError, NotImplementedError, BadZipFile, zlib.error) as fault:
        raise IntegrityError(path, f"unreadable feature table ({fault})", "Delete its run folder and rerun") from fault
    texts = {name: tuple(map(str, parts[name])) for name in ("case_ids", "names", "blocks")}
    return FeatureTable(values=parts["values"], provenance=provenance, **texts)


def encoder_patients(value: object, aliases: Mapping[str, frozenset[str]]) -> tuple[list[str] | None, int]:
    """Patients that a table's encoder was trained on, as `features.encoder_patients` says, and how many ids it lists.

    `unknown` → None; `none` → nobody; a file → its ids, the first cell of each line, as ids of the cohort whose
    `aliases` (patient → every id) these are. An id of nobody in the cohort only counts. A value that is neither is a
    ConfigError, a file without ids a DataError.
    """
    if value in ("unknown", "none"):
        return (None if value == "unknown" else []), 0
    path = Path(str(value))
    if not os.path.isfile(path):
        found = "a folder" if os.path.isdir(path) else f"no file {str(value)!r}" if value is not None else "null"
        raise ConfigError(
            "features.encoder_patients",
            f"{found} found → unknown, none or a file with one patient id per line expected", "Correct the value",
        )  # fmt: skip
    lines = decode(path).splitlines()
    listed = {cell for line in lines if (cell := re.split(r"[,;\t]", line)[0].strip().strip('"'))}
    if not listed:
        raise DataError(path, "no patient id found → one per line expected",
                        "List the encoder's training patients, or set features.encoder_patients=none")  # fmt: skip
    return sorted(patient for patient, names in aliases.items() if names & listed), len(listed)


def with_rows_for(table: FeatureTable, case_ids: Sequence[str]) -> FeatureTable:
    """The table with a row of NaN for each of these cases that has none."""
    held = set(table.case_ids)
    missing = tuple(case_id for case_id in case_ids if case_id not in held)
    blank = np.full((len(missing), len(table.names)), np.nan, np.float32)
    return replace(table, case_ids=table.case_ids + missing, values=np.vstack([table.values, blank]))
