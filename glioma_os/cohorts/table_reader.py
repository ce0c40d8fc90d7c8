"""The one reader of tables: a CSV or workbook as it is in the wild, into columns and rows of text."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from glioma_os.cohorts.faults import raise_faults
from glioma_os.cohorts.vocabulary import column_key, visible
from glioma_os.cohorts.workbook import is_workbook, read_workbook
from glioma_os.errors import DataError

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
BYTE_ORDER_MARKS = ((b"\xff\xfe\x00\x00", "utf-32"), (b"\x00\x00\xfe\xff", "utf-32"), (b"\xff\xfe", "utf-16"),
                    (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig"))  # fmt: skip
NOT_TEXT = (
    (b"\xd0\xcf\x11\xe0", "an Excel 97 workbook", "Save it as .xlsx or CSV"),
    (b"\x1f\x8b", "a compressed file", "Unpack it"),
    (b"%PDF", "a PDF", "Export the table as CSV"),
)
WEB_PAGE = re.compile(r"\s*<(!doctype|html|\?xml)", re.IGNORECASE)
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+([eE][+-]?\d+)?", re.ASCII)
GROUPED_BY_COMMA = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+", re.ASCII)  # 1,234 is a number or one and a bit
GROUPED_BY_POINT = re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3})+", re.ASCII)
Line = tuple[int, list[str]]  # line number in the file, and its cells


@dataclass(frozen=True)
class TextTable:
    """`columns` as the header has them; `lines`: (line number, one stripped cell a column) of rows that hold anything.

    Decimal commas are points already. A column without a name is called `Unnamed: k`, as pandas does.
    """

    path: Path
    columns: tuple[str, ...]
    lines: tuple[Line, ...]

    def place(self, name: str) -> int | None:
        """Place of a column, whatever the case of its name; None where the table lacks it."""
        return next((k for k, own in enumerate(self.columns) if own.lower() == column_key(name)), None)


def read_text_table(path: str | Path) -> TextTable:
    """Reads CSV (comma, semicolon, tab or bar; UTF-8, UTF-16 or Latin-1) or .xlsx (`FILE.xlsx#SHEET` names a sheet).

    Blank lines, and lines of text that begin with `#`, are skipped. Whatever has two readings, or is no table, is a
    DataError: columns that differ by case alone, rows of another length, quotes that swallow rows, numbers such as
    1,234. All such rows are listed at once.
    """
    path = Path(path)
    delimiter = ""
    if is_workbook(path):
        header, lines = read_workbook(path)
    else:
        header, lines, delimiter = _csv_cells(path, decode(path))
    columns, lines = _align_columns(path, [" ".join(visible(name).split()) for name in header], lines)
    if not lines:
        raise DataError(path, "a header without rows found → one row per patient expected", "Export the table again")
    return TextTable(path, columns, tuple(_with_points(path, lines, delimiter)))


def decode(path: Path) -> str:
    """The text of a file in the encoding it is in; what is no text is a DataError."""
    try:
        raw = path.read_bytes()
    except (OSError, ValueError) as fault:
        reason = getattr(fault, "strerror", None) or fault
        raise DataError(path, f"cannot be read ({reason})", "Check the path of the table") from fault
    for mark, found, remedy in NOT_TEXT:
        if raw.startswith(mark):
            raise DataError(path, f"{found} found → a table as text expected", remedy)
    try:
        text = raw.decode(_encoding(raw))
    except UnicodeDecodeError as fault:
        raise DataError(path, "no text found → a table as text expected", "Save it as CSV (UTF-8)") from fault
    if "\0" in text:
        raise DataError(path, "binary content found → a table as text expected", "Save it as CSV (UTF-8)")
    if WEB_PAGE.match(text):
        raise DataError(path, "a web page found → a table as text expected", "Download the table again, logged in")
    return text


def _encoding(raw: bytes) -> str:
    for mark, name in BYTE_ORDER_MARKS:
        if raw.startswith(mark):
            return name
    if raw[:200].count(0) > len(raw[:200]) // 4:  # Latin letters in two bytes each, without a mark
        return "utf-16-le" if raw[1:2] == b"\0" else "utf-16-be"
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252" if not set(raw) & {0x81, 0x8D, 0x8F, 0x90, 0x9D} else "latin-1"
    return "utf-8"


def _csv_cells(path: Path, text: str) -> tuple[list[str], list[Line], str]:
    """Header, (line number, cells) of what follows, and what separates the columns."""
    numbered = list(_content(text))
    first = numbered[0][1].strip("\n ") if numbered else ""
    declared = re.fullmatch(r'"?sep=(.)"?', first, re.IGNORECASE)  # Excel's own first line
    numbered = numbered[1:] if declared else numbered
    if not numbered:
        raise DataError(path, "nothing found → a header and rows expected", "Export the table again")
    delimiter = declared[1] if declared else _delimiter(path, [line for _, line in numbered])
    rows = list(_records(path, numbered, delimiter))
    header, lines = rows[0][1], rows[1:]
    width = _count_cells(header)
    for number, line in _comments(text):
        cells = _split(line, delimiter)
        if number > rows[0][0] and width > 1 and _count_cells(cells) <= width <= len(cells):
            raise DataError(
                f"{path}, row {number}", f"a line that begins with # and has {width} cells found → a comment or "
                "a row expected", "Remove the line, or its #",
            )  # fmt: skip
    return header, lines, delimiter


def _content(text: str) -> Iterator[tuple[int, str]]:
    """Numbered lines that are neither blank nor comments; lines inside quotes are kept as they are."""
    quoted = False
    for number, line in enumerate(_lines(text), start=1):
        if not quoted and (not line.strip() or line.lstrip().startswith("#")):
            continue
        quoted ^= line.count('"') % 2 == 1
        yield number, line


def _comments(text: str) -> Iterator[tuple[int, str]]:
    kept = {number for number, _ in _content(text)}
    return ((k, line) for k, line in enumerate(_lines(text), start=1) if k not in kept and line.strip())


def _lines(text: str) -> list[str]:
    """Lines with their end; Windows, Unix and old Macintosh."""
    return re.findall(r"[^\n]*\n|[^\n]+", text.replace("\r\n", "\n").replace("\r", "\n"))


def _delimiter(path: Path, lines: list[str]) -> str:
    """What separates the columns: the sign that gives every row as many cells as the header, and most of them."""
    widths = {sign: [_width(line, sign) for line in lines[:200]] for sign in DELIMITERS}
    several = {sign: found for sign, found in widths.items() if found[0] > 1}
    if not several:
        return ","
    ranked = {sign: (len(set(found)) == 1 and len(found) > 1, found[0]) for sign, found in several.items()}
    best = [sign for sign, rank in ranked.items() if rank == max(ranked.values())]
    if len(best) > 1:
        signs = " and ".join(DELIMITERS[sign] for sign in best)
        raise DataError(path, f"{signs} could both separate columns found → one of them expected",
                        "Quote the cells that hold the other, or export with one separator")  # fmt: skip
    return best[0]


def _width(line: str, delimiter: str) -> int:
    """Cells of a line."""
    return len(_split(line, delimiter))


def _split(line: str, delimiter: str) -> list[str]:
    """Cells of a line; where a quoted cell goes on in the next line, as many as its signs say."""
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True), [])
    except csv.Error:
        return line.split(delimiter)


def _count_cells(cells: list[str]) -> int:
    """How many cells there are without blank ones at the end."""
    return max((k for k, cell in enumerate(cells, start=1) if cell.strip()), default=0)


def _records(path: Path, numbered: list[tuple[int, str]], delimiter: str) -> Iterator[Line]:
    """Records of a CSV; a quote that is never closed, or that takes in whole rows, is a DataError."""
    reader = csv.reader((line for _, line in numbered), delimiter=delimiter, strict=True)
    begin, width = 0, 0
    while True:
        number = numbered[min(begin, len(numbered) - 1)][0]
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as fault:
            raise DataError(
                f"{path}, row {number}", f"a row that is no CSV found ({fault}) → quotes in pairs and cells of at most "
                "131,072 characters expected", "Correct the row",
            ) from fault  # fmt: skip
        width = width or len(cells)
        inner = numbered[begin + 1 : reader.line_num]
        if width > 1 and any(_width(line.replace('"', ""), delimiter) == width for _, line in inner):
            raise DataError(f"{path}, row {number}", f"a quoted cell that takes in row {inner[0][0]} found → quotes in "
                            "pairs expected", "Correct the quotes of the row")  # fmt: skip
        begin = reader.line_num
        yield number, cells


def _align_columns(path: Path, header: list[str], lines: list[Line]) -> tuple[tuple[str, ...], list[Line]]:
    """Names of the columns, and rows with one cell for each; blank rows and blank columns at the end are left out."""
    rows = [(number, [cell.strip() for cell in cells]) for number, cells in lines if any(map(str.strip, cells))]
    used = max((k for cells in (header, *(row for _, row in rows)) for k, cell in enumerate(cells) if cell), default=-1)
    header = header[: used + 1]
    if not any(header):
        raise DataError(path, "a blank header found → names of columns expected", "Name the columns in the first row")
    faults, out = _find_repeated(path, header), []
    for number, cells in rows:
        beyond = [cell for cell in cells[len(header) :] if cell]
        if len(cells) < len(header) or beyond:
            faults.append(DataError(f"{path}, row {number}", f"{len(cells)} cells found → {len(header)} expected",
                                    "Correct the row"))  # fmt: skip
        out.append((number, cells[: len(header)]))
    raise_faults(path, faults)
    return tuple(name or f"Unnamed: {k}" for k, name in enumerate(header)), out


def _find_repeated(path: Path, header: list[str]) -> list[DataError]:
    """A fault for each name that stands twice, in whatever case."""
    groups: dict[str, list[str]] = {}
    for name in filter(None, header):
        groups.setdefault(name.lower(), []).append(name)
    return [
        DataError(path, f"columns {' and '.join(map(repr, names))} found → one of them expected",
                  "Rename or remove the others")
        for names in groups.values()
        if len(names) > 1
    ]  # fmt: skip


def _with_points(path: Path, lines: list[Line], delimiter: str) -> list[Line]:
    """Decimal commas as points. Where 1,234 or 1.234 may be thousands, a DataError for each such row."""
    commas = {cell for _, cells in lines for cell in cells if "," in cell and DECIMAL_COMMA.fullmatch(cell)}
    if not commas:
        return lines
    unclear = _maybe_thousands(lines, delimiter) if all(map(GROUPED_BY_COMMA.fullmatch, commas)) else set()
    faults = []
    for number, cells in lines:
        bad = next((c for c in cells if c in unclear or ("." in c and GROUPED_BY_POINT.fullmatch(c))), None)
        if bad is not None:
            faults.append(DataError(
                f"{path}, row {number}", f"{bad!r} found, which can be read as thousands or as a decimal number → one "
                "decimal sign in the whole table expected", "Write numbers without signs for thousands",
            ))  # fmt: skip
    raise_faults(path, faults)
    return [(number, [c.replace(",", ".") if c in commas else c for c in cells]) for number, cells in lines]


def _maybe_thousands(lines: list[Line], delimiter: str) -> set[str]:
    """Cells such as 1,234 that may be thousands, in a table that has no other comma in a number.

    Programs separate columns by semicolons where the comma is the decimal sign; there only a column that also holds
    whole numbers of three digits, as 345 beside 1,234, has two readings.
    """
    columns = [set(column) for column in zip(*(cells for _, cells in lines), strict=True)]
    return {
        cell
        for column in columns
        if delimiter != ";" or any(re.fullmatch(r"[1-9]\d\d", cell) for cell in column)
        for cell in column
        if GROUPED_BY_COMMA.fullmatch(cell)
    }
