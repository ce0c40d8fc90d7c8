"""Excel workbooks (.xlsx) as rows of text, through openpyxl where it is installed."""

from __future__ import annotations

import datetime
import os
import warnings
import zipfile
from pathlib import Path
from typing import Any

from glioma_os.errors import DataError, EnvironmentFault

MOST_BYTES = 500_000_000  # unpacked; a table of patients is far smaller
Line = tuple[int, list[str]]


def is_workbook(path: Path) -> bool:
    """Whether the file, or what stands before # in its name, is a zip archive as .xlsx are."""
    file, _ = file_and_sheet(path)
    try:
        with file.open("rb") as stream:
            return stream.read(4) == b"PK\x03\x04"
    except (OSError, ValueError):
        return False


def read_workbook(path: Path) -> tuple[list[str], list[Line]]:
    """Header and (row number, cells) of the only sheet that holds anything, or of `FILE.xlsx#SHEET`."""
    try:
        import openpyxl
    except ImportError as fault:
        raise EnvironmentFault(
            path, "a workbook found, but openpyxl is not installed → openpyxl or a CSV expected",
            "Run pip install 'glioma-os[xlsx]', or save the sheet as CSV",
        ) from fault  # fmt: skip
    file, sheet = file_and_sheet(path)
    try:
        with zipfile.ZipFile(file) as archive:
            if sum(item.file_size for item in archive.infolist()) > MOST_BYTES:
                raise DataError(
                    path, "a workbook of more than 500 MB unpacked found → a smaller table expected", "Save it as CSV"
                )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and extensions that no cell's value depends on
            values, formulas = (openpyxl.load_workbook(file, data_only=stored) for stored in (True, False))
    except DataError:
        raise
    except Exception as fault:  # openpyxl raises what its parsers do: KeyError, BadZipFile, ParseError and others
        raise DataError(path, f"an unreadable workbook found ({type(fault).__name__}) → a valid .xlsx expected",
                        "Open it in Excel and save it again, or save it as CSV") from fault  # fmt: skip
    name = _sheet_name(path, {one.title: _has_content(one) for one in formulas.worksheets}, sheet)
    return _cells(path, values[name], formulas[name])


def file_and_sheet(path: Path) -> tuple[Path, str]:
    """The file that a path names, and the sheet where it is `FILE.xlsx#SHEET`."""
    name, mark, sheet = path.name.partition("#")
    return (path.with_name(name), sheet) if mark and name and not os.path.exists(path) else (path, "")


def _has_content(sheet: Any) -> bool:
    return any(value is not None for row in sheet.iter_rows(values_only=True) for value in row)


def _sheet_name(path: Path, sheets: dict[str, bool], asked: str) -> str:
    names = [name for name, used in sheets.items() if used]
    if asked in sheets:
        return asked
    if asked or len(names) != 1:
        found = f"no sheet {asked!r}" if asked else f"{len(names)} sheets with content"
        raise DataError(path, f"{found} found, but {', '.join(names) or 'none'} → one sheet expected",
                        f"Give the path as '{path.name.partition('#')[0]}#SHEET', with these quotes")  # fmt: skip
    return names[0]


def _cells(path: Path, values: Any, formulas: Any) -> tuple[list[str], list[Line]]:
    rows: list[Line] = []
    for number, (own, written) in enumerate(
        zip(values.iter_rows(values_only=True), formulas.iter_rows(values_only=True), strict=True), start=1
    ):
        if any(value is None and formula is not None for value, formula in zip(own, written, strict=True)):
            raise DataError(f"{path}, row {number}", "a formula without a stored result found → values expected",
                            "Open the workbook in Excel and save it, or save it as CSV")  # fmt: skip
        cells = [_text(value) for value in own]
        if any(cell.strip() for cell in cells):
            rows.append((number, cells))
    if not rows:
        raise DataError(path, "an empty sheet found → a header and rows expected", "Save the table again")
    return rows[0][1], rows[1:]


def _text(value: Any) -> str:
    """A cell as a CSV would have it."""
    if value is None:
        return ""
    if isinstance(value, float):
        return repr(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    return str(value)
