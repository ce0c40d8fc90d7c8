"""Clinical tables: text in, Clinical and Outcome out. What is not in the grammar is an error with row and column."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from glioma_os.errors import DataError
from glioma_os.records import Case, Clinical, Extent, Outcome

ALIVE = re.compile(r"ALIVE \((\d+) days later\)")
BLANK = frozenset({"", "na", "n/a", "nan", "none", "not available", "unknown"})
EXTENTS = {"gtr": Extent.GTR, "str": Extent.STR, "biopsy": Extent.BIOPSY}
SEXES: dict[str, object] = {"f": "F", "m": "M", "female": "F", "male": "M"}
MUTATED: dict[str, object] = {"1": True, "0": False, "mutant": True, "mutated": True, "wildtype": False}
METHYLATED: dict[str, object] = {"1": True, "0": False, "methylated": True, "unmethylated": False}
LONGEST_DAYS = 15_000  # 41 years: beyond it the unit is wrong
TOLD = 30  # faults of a table that one message lists
Row = dict[str, str]
Excluded = tuple[str, str]  # case id and reason
Line = TypeVar("Line")
Read = TypeVar("Read")


def read_table(
    path: str | Path, id_columns: Iterable[str], required: Iterable[Iterable[str]] = (), session_column: str = ""
) -> list[Row]:
    """Rows of a CSV as text; the id stands under the key `id`, every column under its lower-case name.

    `required`: for each thing needed, the names it may have. Comma, semicolon or tab; UTF-8 with or without BOM, or
    Latin-1. An id that stands twice (with the same session, where there are sessions) is an error, alike or not. All
    such rows are told at once.
    """
    path = Path(path)
    ids = {name.lower() for name in id_columns}
    header, lines = read_cells(path)
    for names in (tuple(id_columns), *required):
        if not set(header) & {name.lower() for name in names}:
            wanted = ", ".join(names)
            raise DataError(path, f"columns {', '.join(header)} found → one of {wanted} expected", "Rename the column")
    key = next(name for name in header if name in ids)
    seen: dict[tuple[str, str], tuple[int, list[str]]] = {}

    def row_of(numbered: tuple[int, list[str]]) -> Row:
        line, values = numbered
        where = f"{path}, row {line}"
        if len(values) != len(header):
            raise DataError(where, f"{len(values)} cells found → {len(header)} expected", "Mend the row")
        row = {name: value.strip() for name, value in zip(header, values, strict=True)}
        row |= {"id": row[key], "row": where}
        if not row["id"]:
            raise DataError(where, "no id found → one expected", "Fill the id")
        name = (row["id"], row.get(session_column, ""))
        if name in seen:
            other, content = seen[name]
            kind = "identical" if content == values else "conflicting"
            raise DataError(where, f"id of row {other} again found, {kind} → one row an id", "Keep the right one")
        seen[name] = (line, values)
        return row

    return each_row(path, lines, row_of)


def each_row(path: Path, rows: Iterable[Line], read: Callable[[Line], Read]) -> list[Read]:
    """`read` of every row; what it says of rows that it cannot read is told in one DataError, not row by row."""
    out, faults = [], []
    for row in rows:
        try:
            out.append(read(row))
        except DataError as fault:
            faults.append(fault)
    if len(faults) == 1:
        raise faults[0]
    if faults:
        lines = [str(fault).removeprefix(f"{path}, ") for fault in faults[:TOLD]]
        lines += [f"and {len(faults) - TOLD} more"] * (len(faults) > TOLD)
        raise DataError(path, f"{len(faults)} rows found that cannot be read", "\n  ".join(["Mend them:", *lines]))
    return out


def cases_of(
    path: Path, rows: Iterable[Row], read: Callable[[Row], Case | Excluded]
) -> tuple[list[Case], list[Excluded]]:
    """The rows that `read` makes cases of, and those it leaves out."""
    found = each_row(path, rows, read)
    return [one for one in found if isinstance(one, Case)], [one for one in found if not isinstance(one, Case)]


def read_cells(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Lower-case header, and (line number, cells) of every row that is not blank."""
    try:
        raw = path.read_bytes()
    except OSError as fault:
        raise DataError(path, f"cannot be read ({fault.strerror})", "Check the path of the table") from fault
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    if len(rows) < 2:
        raise DataError(path, f"{len(rows)} lines found → a header and rows expected", "Export the table again")
    lines = [(line, row) for line, row in enumerate(rows[1:], start=2) if any(cell.strip() for cell in row)]
    return [name.strip().lower() for name in rows[0]], lines


def pick(row: Row, *names: str) -> str:
    """The cell under the first of these columns the table has; blank if none."""
    return next((row[name.lower()] for name in names if name.lower() in row), "")


def is_blank(text: str) -> bool:
    """Whether a cell says that nothing was recorded."""
    return text.strip().lower() in BLANK


def _number(text: str, where: str, what: str, low: float, high: float) -> float:
    if not re.fullmatch(r"\d+(\.\d+)?", text.strip()) or not low < float(text) < high:
        raise DataError(
            where, f"{what} {text!r} found → a number between {low:g} and {high:g} expected", "Correct the cell"
        )
    return float(text)


def parse_survival(text: str, where: str) -> Outcome | None:
    """BraTS survival: whole days = died then; `ALIVE (361 days later)` = censored then; blank or NA = not recorded."""
    if is_blank(text):
        return None
    alive = ALIVE.fullmatch(text.strip())
    digits = alive[1] if alive else text.strip()
    if not re.fullmatch(r"\d+(\.0+)?", digits) or not 0 < float(digits) < LONGEST_DAYS:
        raise DataError(
            where, f"survival {text!r} found → days such as 289, or ALIVE (361 days later), expected",
            "Correct the cell; write days, not months",
        )  # fmt: skip
    return Outcome(float(digits), event=alive is None)


def parse_age(text: str, where: str) -> float | None:
    """Years; blank = not recorded."""
    return None if is_blank(text) else _number(text, where, "age", 0, 120)


def parse_extent(text: str, where: str) -> Extent | None:
    """GTR, STR or biopsy in any case; NA is a level that says nothing is known."""
    if is_blank(text):
        return None
    if text.strip().lower() not in EXTENTS:
        raise DataError(where, f"resection {text!r} found → GTR, STR, biopsy or NA expected", "Correct the cell")
    return EXTENTS[text.strip().lower()]


def parse_choice(text: str, where: str, what: str, choices: dict[str, object]) -> object | None:
    """One of the words in `choices` (lower case), blank = None."""
    if is_blank(text):
        return None
    if text.strip().lower() not in choices:
        raise DataError(where, f"{what} {text!r} found → one of {', '.join(choices)} or blank", "Correct the cell")
    return choices[text.strip().lower()]


def parse_days(text: str, where: str) -> float:
    """Days of follow-up, more than 0."""
    return _number(text, where, "days", 0, LONGEST_DAYS)


def parse_points(text: str, where: str) -> float | None:
    """Karnofsky performance status, 0–100."""
    return None if is_blank(text) else _number(text, where, "KPS", -1, 101)


def parse_clinical(row: Row, age_column: str = "age") -> Clinical:
    """The clinical values of a table with our column names: age, and sex, kps, eor, idh, mgmt where it has them."""

    def cell(column: str) -> tuple[str, str]:
        return pick(row, column), f"{row['row']}, column {column}"

    return Clinical(
        age_years=parse_age(*cell(age_column)),
        sex=parse_choice(*cell("sex"), "sex", SEXES),  # type: ignore[arg-type]
        kps=parse_points(*cell("kps")),
        extent=parse_extent(*cell("eor")),
        idh_mutant=parse_choice(*cell("idh"), "idh", MUTATED),  # type: ignore[arg-type]
        mgmt_methylated=parse_choice(*cell("mgmt"), "mgmt", METHYLATED),  # type: ignore[arg-type]
    )


def parse_site(row: Row) -> str | None:
    """The cell under `site`; None = not recorded."""
    text = pick(row, "site")
    return None if is_blank(text) else text
