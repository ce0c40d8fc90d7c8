"""Feature tables on disk: an .npz that holds no objects beside a .json of where it came from; and CSVs of others."""

from __future__ import annotations

import glob
import io
import json
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from glioma_os.errors import ConfigError, DataError, IntegrityError
from glioma_os.fusion.leaks import is_row_number
from glioma_os.records import FeatureTable
from glioma_os.volumes.atomic import PRIVATE, atomic_write, sha256_file


def write_features(table: FeatureTable, path: Path) -> None:
    """Writes `path` (.npz) and its .json beside it, each whole."""
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


def _files(path: str | Path | Sequence[str | Path]) -> list[Path]:
    """One file, several, or a pattern with *."""
    given = [path] if isinstance(path, str | Path) else list(path)
    found = [
        Path(match) for item in given for match in (sorted(glob.glob(str(item))) if "*" in str(item) else [str(item)])
    ]
    if not found or not all(file.is_file() for file in found):
        missing = next((str(file) for file in found if not file.is_file()), given[0] if given else "")
        raise DataError(str(missing), "no file found → a feature table expected", "Set features.path")
    return found


def _frame(path: Path, id_column: str, drop: Sequence[str], pattern: str | None, to: str) -> pd.DataFrame:
    """Numbers of one file, indexed by case id."""
    frame = pd.read_csv(path, dtype={id_column: str}, keep_default_na=True)
    if id_column not in frame:
        raise DataError(path, f"columns {list(frame)[:6]} found → {id_column!r} expected", "Set features.id_column")
    ids = frame[id_column] if pattern is None else frame[id_column].str.replace(pattern, to, regex=True)
    if ids.duplicated().any():
        raise DataError(path, f"id {ids[ids.duplicated()].iloc[0]!r} found twice → one row a case expected",
                        "Remove the duplicate")  # fmt: skip
    values = frame.drop(columns=[id_column, *(name for name in drop if name in frame)])
    text = [name for name in values if not pd.api.types.is_numeric_dtype(values[name])]
    if text:
        raise DataError(path, f"column {text[0]!r} holds text found → numbers expected",
                        "Encode the column, or list it in features.drop")  # fmt: skip
    return values.set_index(ids)


def read_feature_csv(
    path: str | Path | Sequence[str | Path], id_column: str = "case_id", block: str = "radiomics",
    drop: Sequence[str] = (), pattern: str | None = None, to: str = "",
) -> FeatureTable:  # fmt: skip
    """CSVs with one row a case: `id_column`, the rest numbers; blanks stay NaN and are imputed inside the folds.

    Of several files the cases that all of them hold, columns named file/column. `pattern` (a regular expression) in
    an id is replaced by `to`, where the file's ids are not the cohort's. Infinite values count as blank.
    `provenance`: sha256 of the files, and the columns that number the rows of their file.
    """
    files = _files(path)
    header = {name for file in files for name in pd.read_csv(file, nrows=0)}
    if unknown := [name for name in drop if name not in header]:
        raise DataError(files[0], f"no column {unknown[0]!r} found → the columns of features.drop", "Correct the name")
    frames = [_frame(file, id_column, drop, pattern, to) for file in files]
    if len(files) > 1:
        frames = [frame.add_prefix(f"{file.stem}/") for file, frame in zip(files, frames, strict=True)]
    numbered = [name for frame in frames for name in frame if is_row_number(np.asarray(frame[name], float))]
    joined = pd.concat(frames, axis=1, join="inner")
    if joined.empty:
        raise DataError(files[0], f"no case stands in all {len(files)} files", "Check the ids")
    values = np.array(joined, np.float64)
    limit = float(np.finfo(np.float32).max)
    values[~(np.abs(values) < limit)] = np.nan
    return FeatureTable(
        case_ids=tuple(joined.index), names=tuple(joined), blocks=(block,) * joined.shape[1],
        values=values.astype(np.float32),
        provenance={"source_sha256": [sha256_file(file) for file in files], "row_number_columns": numbered},
    )  # fmt: skip


def encoder_patients(value: object, aliases: Mapping[str, frozenset[str]]) -> tuple[list[str] | None, int]:
    """Patients that a table's encoder was trained on, as `features.encoder_patients` says, and how many ids it lists.

    `unknown` → None; `none` → nobody; a file → its ids, the first cell of each line, as ids of the cohort whose
    `aliases` (patient → every id) these are. An id of nobody in the cohort only counts. A value that is neither is a
    ConfigError, a file without ids a DataError.
    """
    if value in ("unknown", "none"):
        return (None if value == "unknown" else []), 0
    path = Path(str(value))
    if not path.is_file():
        found = "a folder" if path.is_dir() else f"no file {str(value)!r}" if value is not None else "null"
        raise ConfigError(
            "features.encoder_patients",
            f"{found} found → unknown, none or a file with one patient id per line expected", "Correct the value",
        )  # fmt: skip
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as fault:
        raise DataError(path, "no text found → one patient id per line expected", "Correct the file") from fault
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
