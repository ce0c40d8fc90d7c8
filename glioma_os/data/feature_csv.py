"""Feature tables of others: CSVs or workbooks with one row a case, an id and numbers."""

from __future__ import annotations

import glob
import json
import os
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pandas as pd

from glioma_os.cohorts.patient_ids import compile_pattern
from glioma_os.cohorts.table_reader import TextTable, read_text_table
from glioma_os.cohorts.vocabulary import is_blank, visible
from glioma_os.cohorts.workbook import file_and_sheet
from glioma_os.errors import DataError
from glioma_os.fusion.leaks import is_row_number
from glioma_os.records import Array, FeatureTable
from glioma_os.volumes.atomic import sha256_file

OF_NUMBERS = frozenset("0123456789.+-eE")
INFINITE = frozenset({"inf", "+inf", "-inf", "infinity", "-infinity", "1.#inf", "-1.#inf", "#div/0!", "1.#qnan",
                      "-1.#ind", "-1.#qnan", "1.#ind"})  # fmt: skip
TRUTHS = {"true": 1.0, "false": 0.0}
MOST_TEXTS = 8  # columns that one message names


def read_feature_csv(
    path: str | Path | Sequence[str | Path], id_column: str = "case_id", block: str = "radiomics",
    drop: Sequence[str] = (), pattern: str | None = None, to: str = "",
) -> FeatureTable:  # fmt: skip
    """Tables with one row a case: `id_column`, the rest numbers; blanks stay NaN and are imputed inside the folds.

    Of several files the cases that all of them hold, columns named file/column. `drop`: names or patterns such as
    `diagnostics_*` of columns that are no features. `pattern` (a regular expression) in an id is replaced by `to`,
    where the file's ids are not the cohort's. Infinite values count as blank. `provenance`: sha256 of the files, and
    the columns that number the rows of their file.
    """
    files = _files(path)
    tables = [read_text_table(file) for file in files]
    names = {name for table in tables for name in table.columns}
    if unknown := [word for word in drop if not any(_is_dropped(name, [word]) for name in names)]:
        raise DataError(
            files[0], f"no column {unknown[0]!r} found → the columns of features.drop expected", "Correct the name"
        )
    frames = [_frame(table, id_column, drop, pattern, to) for table in tables]
    if len(files) > 1:
        frames = [frame.add_prefix(f"{file.stem}/") for file, frame in zip(files, frames, strict=True)]
    numbered = [name for frame in frames for name in frame if is_row_number(np.asarray(frame[name], float))]
    joined = pd.concat(frames, axis=1, join="inner")
    if joined.empty:
        problem = (
            f"no case in all {len(files)} files" if all(len(f.columns) for f in frames) else "no column of numbers"
        )
        raise DataError(files[0], f"{problem} found → at least one expected", "Check the ids and features.drop")
    values = np.array(joined, np.float64)
    limit = float(np.finfo(np.float32).max)
    values[~(np.abs(values) < limit)] = np.nan
    digests = [sha256_file(file_and_sheet(file)[0]) for file in files]
    return FeatureTable(
        case_ids=tuple(joined.index), names=tuple(joined), blocks=(block,) * joined.shape[1],
        values=values.astype(np.float32), provenance={"source_sha256": digests, "row_number_columns": numbered},
    )  # fmt: skip


def drop_word(columns: Sequence[str]) -> str:
    """`features.drop=[…]` for a command line; pyradiomics' diagnostics as one pattern."""
    words = dict.fromkeys("diagnostics_*" if name.startswith("diagnostics_") else name for name in columns)
    quoted = (word if word.replace("_", "").isalnum() else json.dumps(word, ensure_ascii=False) for word in words)
    return f"'features.drop=[{','.join(quoted)}]'"


def _files(path: str | Path | Sequence[str | Path]) -> list[Path]:
    """One file, several, or a pattern with *."""
    given = [path] if isinstance(path, str | Path) else list(path)
    found = [
        Path(match) for item in given for match in (sorted(glob.glob(str(item))) if "*" in str(item) else [str(item)])
    ]
    missing = next((file for file in found if not os.path.isfile(file_and_sheet(file)[0])), None)
    if missing is not None or not found:
        shown = str(missing or (given[0] if given else "null"))
        raise DataError(shown, "no file found → a feature table expected", "Set features.path")
    return found


def _is_dropped(name: str, words: Sequence[str]) -> bool:
    return any(name == word or fnmatchcase(name, word) for word in words)


def _frame(table: TextTable, id_column: str, drop: Sequence[str], pattern: str | None, to: str) -> pd.DataFrame:
    """Numbers of one file, indexed by case id; all columns of text are named in one DataError."""
    place = table.place(id_column)
    if place is None:
        raise DataError(table.path, f"columns {list(table.columns)[:6]} found → {id_column!r} expected",
                        "Set features.id_column")  # fmt: skip
    ids = _ids(table, place, pattern, to)
    kept = [k for k, name in enumerate(table.columns) if k != place and not _is_dropped(name, drop)]
    cells = list(zip(*(row for _, row in table.lines), strict=True))
    columns = {table.columns[k]: _numbers(cells[k]) for k in kept}
    texts = [name for name, values in columns.items() if values is None]
    if texts:
        shown = ", ".join(map(repr, texts[:MOST_TEXTS]))
        shown += f" and {len(texts) - MOST_TEXTS} more" * (len(texts) > MOST_TEXTS)
        raise DataError(table.path, f"{len(texts)} columns of text found ({shown}) → numbers expected",
                        f"Encode it as numbers, or set {drop_word([*drop, *texts])}")  # fmt: skip
    return pd.DataFrame(columns, index=pd.Index(ids, dtype=object), dtype=float)


def _ids(table: TextTable, place: int, pattern: str | None, to: str) -> list[str]:
    ids = [cells[place] for _, cells in table.lines]
    blank = next((number for (number, _), own in zip(table.lines, ids, strict=True) if is_blank(own)), None)
    if blank is not None:
        raise DataError(f"{table.path}, row {blank}", "no id found → one expected", "Fill the id, or remove the row")
    hidden = next((number for (number, _), own in zip(table.lines, ids, strict=True) if visible(own) != own), None)
    if hidden is not None:
        raise DataError(f"{table.path}, row {hidden}", "an id with invisible characters found → one without expected",
                        "Type the id again")  # fmt: skip
    if pattern is not None:
        found = compile_pattern(pattern, "features.pattern", groups=0)
        ids = [found.sub(to, own) for own in ids]
    seen: set[str] = set()
    for own in ids:
        if own in seen:
            raise DataError(table.path, f"id {own!r} found twice → one row a case expected", "Remove the duplicate")
        seen.add(own)
    return ids


def _numbers(cells: Sequence[str]) -> Array | None:
    """Values of a column, blank as NaN; None where a cell is neither."""
    if OF_NUMBERS.issuperset("".join(cells)):
        try:
            return np.array([float(cell) for cell in cells])
        except ValueError:  # a blank among them, or no number
            pass
    known = [_number(cell) for cell in cells]
    return None if None in known else np.array(known, float)


def _number(cell: str) -> float | None:
    if OF_NUMBERS.issuperset(cell):  # float() takes more than tables should: 1_000, nan, other scripts' digits
        try:
            return float(cell)
        except ValueError:
            pass
    word = cell.lower()
    return np.nan if is_blank(word) or word in INFINITE else TRUTHS.get(word)
