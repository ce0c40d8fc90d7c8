"""Clinical tables: rows by id, text in, Clinical out. What is not in the vocabulary is an error with row and column."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from glioma_os.cohorts import vocabulary
from glioma_os.cohorts.faults import each_row
from glioma_os.cohorts.table_reader import TextTable, read_text_table
from glioma_os.cohorts.vocabulary import column_key, is_blank, plain
from glioma_os.errors import DataError
from glioma_os.records import Case, Clinical, Extent

AT_LEAST = re.compile(r"(?:>=?|≥|over )? ?([0-9]+) ?(\+|and over|or older|and older)?")
Excluded = tuple[str, str]  # case id and reason
Value = TypeVar("Value")


@dataclass(frozen=True)
class Row:
    """One row of a table: its id, where it stands, and its cells by the lower-case names of the columns."""

    id: str
    where: str
    cells: Mapping[str, str]

    def has(self, column: str) -> bool:
        """Whether the table has the column."""
        return column_key(column) in self.cells

    def pick(self, *columns: str) -> str:
        """The cell under the first of these columns that the table has; blank if none."""
        names = (column_key(column) for column in columns)
        return next((self.cells[name] for name in names if name in self.cells), "")

    def at(self, *columns: str) -> tuple[str, str]:
        """That cell, and where it stands."""
        column = next((name for name in columns if self.has(name)), columns[0])
        return self.pick(column), f"{self.where}, column {column}"


def read_table(
    path: str | Path,
    id_columns: Iterable[str],
    required: Iterable[Iterable[str]] = (),
    session_column: str = "",
    remedy: str = "Rename the columns, or add them",
) -> list[Row]:
    """Rows of a table in any dialect that `read_text_table` reads.

    `id_columns`: names that the id may have; the last counts where no other is there, two of the others are an error.
    `required`: for each thing needed, the names it may have; whatever is missing is listed at once, with `remedy`. Ids
    that stand twice (with the same session, where there are sessions) are errors, alike or not. All such rows are
    listed at once.
    """
    table = read_text_table(path)
    place = _id_place(table, list(id_columns), [list(names) for names in required], remedy)
    names = [name.lower() for name in table.columns]
    seen: dict[tuple[str, str], tuple[int, list[str]]] = {}

    def row_of(numbered: tuple[int, list[str]]) -> Row:
        line, cells = numbered
        row = Row(cells[place], f"{table.path}, row {line}", dict(zip(names, cells, strict=True)))
        if is_blank(row.id):
            raise DataError(row.where, "no id found → one expected", "Enter the id")
        name = (row.id, row.pick(session_column))
        if name in seen:
            other, content = seen[name]
            kind = "identical" if content == cells else "conflicting"
            raise DataError(
                row.where,
                f"the id of row {other} found again ({kind} row) → one row per id expected",
                "Keep the correct row",
            )
        seen[name] = (line, cells)
        return row

    return each_row(table.path, table.lines, row_of)


def _id_place(table: TextTable, id_columns: list[str], required: list[list[str]], remedy: str) -> int:
    """Place of the column that holds the ids."""
    missing = [names for names in (id_columns, *required) if all(table.place(name) is None for name in names)]
    if missing:
        wanted = "; ".join(f"one of {', '.join(names)}" if len(names) > 1 else names[0] for names in missing)
        found = ", ".join(table.columns).lower()
        raise DataError(table.path, f"columns {found} found → {wanted} expected", remedy)
    places = list(dict.fromkeys(place for name in id_columns if (place := table.place(name)) is not None))
    named = [table.columns[place] for place in places if table.columns[place].lower() != id_columns[-1].lower()]
    if len(named) > 1:
        raise DataError(table.path, f"columns {' and '.join(named)} found → one column of ids expected",
                        "Keep the ids of this cohort, and move the others to a name mapping")  # fmt: skip
    ids = [cells[places[0]] for _, cells in table.lines]
    if len(id_columns) > 1 and _number_the_rows(ids):
        raise DataError(
            f"{table.path}, column {table.columns[places[0]]}", "row numbers found → ids of patients expected",
            f"Name the column that holds the ids {id_columns[0]}",
        )  # fmt: skip
    return places[0]


def _number_the_rows(ids: list[str]) -> bool:
    """Whether all are numbers, as a program numbers rows; sorting and selecting leave them in any order."""
    return all(re.fullmatch(r"[+-]?[0-9]+(\.[0-9]*)?(e[+-]?[0-9]+)?", own.lower()) for own in ids)


def cases_of(
    path: Path, rows: Iterable[Row], read: Callable[[Row], Case | Excluded]
) -> tuple[list[Case], list[Excluded]]:
    """The rows that `read` makes cases of, and those it leaves out."""
    found = each_row(path, rows, read)
    return [one for one in found if isinstance(one, Case)], [one for one in found if not isinstance(one, Case)]


def parse_number(text: str, where: str, what: str, low: float, high: float) -> float:
    """A plain decimal number strictly between two bounds."""
    if not re.fullmatch(r"[0-9]+(\.[0-9]*)?|\.[0-9]+", text.strip()) or not low < float(text) < high:
        raise DataError(
            where, f"{what} {text!r} found → a number between {low:g} and {high:g} expected", "Correct the cell"
        )
    return float(text)


def parse_age(text: str, where: str) -> float | None:
    """Years; blank = not recorded. `90+`, `>=90` and the like, as de-identified tables have them, are 90; `>89` too."""
    if is_blank(text):
        return None
    word = " ".join(text.lower().split())
    bound = AT_LEAST.fullmatch(word)
    if bound and not word.isdigit():
        beyond = word.startswith(("over", ">")) and not word.startswith(">=")
        return parse_number(str(int(bound[1]) + beyond), where, "age", 0, 120)
    return parse_number(text, where, "age", 0, 120)


def parse_word(text: str, where: str, what: str, words: Mapping[str, Value]) -> Value | None:
    """What one of these words means; blank = None."""
    word = plain(vocabulary.as_code(text))
    if is_blank(text) and word not in words:
        return None
    if word not in words:
        known = ", ".join(words)
        raise DataError(where, f"{what} {text!r} found → one of {known} or blank expected", "Correct the cell")
    return words[word]


def parse_extent(text: str, where: str) -> Extent | None:
    """Extent of resection; NA is a level that says nothing is known."""
    return parse_word(text, where, "resection", vocabulary.EXTENTS | dict.fromkeys(vocabulary.UNDETERMINED))


def parse_idh(text: str, where: str) -> bool | None:
    """IDH status by word, 0/1 or the name of the mutation; blank or undetermined = None."""
    if is_blank(text):
        return None
    try:
        return vocabulary.idh_mutant(text)
    except KeyError:
        raise DataError(
            where, f"IDH status {text!r} found → wildtype, mutant, a mutation such as R132H or p.Arg132His, NOS or "
            "blank expected", "Correct the cell",
        ) from None  # fmt: skip


def parse_points(text: str, where: str) -> float | None:
    """Karnofsky performance status in points or percent. 0 to 5 are grades of ECOG or WHO and are refused."""
    if is_blank(text):
        return None
    points = parse_number(text.strip().removesuffix("%").strip(), where, "KPS", -1, 101)
    if points < 10:
        raise DataError(
            where, f"KPS {text!r} found → points from 10 to 100 expected; 0 to 5 are ECOG or WHO grades",
            "Write Karnofsky points, or rename the column so that it is not read",
        )  # fmt: skip
    return points


def parse_clinical(row: Row, age_column: str = "age") -> Clinical:
    """The clinical values of a table with our column names: age, and sex, kps, eor, idh, mgmt where it has them."""
    return Clinical(
        age_years=parse_age(*row.at(age_column)),
        sex=parse_word(*row.at("sex"), "sex", vocabulary.SEXES),
        kps=parse_points(*row.at("kps")),
        extent=parse_extent(*row.at("eor")),
        idh_mutant=parse_idh(*row.at("idh")),
        mgmt_methylated=parse_word(*row.at("mgmt"), "MGMT status", vocabulary.MGMT),
    )


def parse_site(row: Row) -> str | None:
    """The cell under `site`; None = not recorded."""
    text = row.pick("site")
    return None if is_blank(text) else text
