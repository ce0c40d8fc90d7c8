"""Tables as spreadsheets, portals and people leave them: one reader, the right cells or one sentence."""

import builtins

import pytest

from glioma_os.cohorts.crosswalk import mapped_names
from glioma_os.cohorts.faults import MOST_LISTED
from glioma_os.cohorts.table import TableCohort
from glioma_os.cohorts.table_reader import read_text_table
from glioma_os.data.feature_csv import read_feature_csv
from glioma_os.errors import DataError, EnvironmentFault
from glioma_os.records import Extent, Outcome

TABLE = 'patient_id,age,os_days,event,site\nP1,60.5,289,1,"Köln, Süd"\nP2,71.25,600,0,Milano\n'
CELLS = (("P1", "60.5", "289", "1", "Köln, Süd"), ("P2", "71.25", "600", "0", "Milano"))
SEMICOLON = "patient_id;age;os_days;event;site\nP1;60,5;289;1;Köln, Süd\nP2;71,25;600;0;Milano\n"


def read(tmp_path, content, name="t.csv"):
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_text_table(path)


@pytest.mark.parametrize(
    "content",
    {
        "UTF-8": TABLE.encode(),
        "byte-order mark": TABLE.encode("utf-8-sig"),
        "UTF-16": TABLE.encode("utf-16"),
        "UTF-16 BE": b"\xfe\xff" + TABLE.encode("utf-16-be"),
        "UTF-16 without a mark": TABLE.encode("utf-16-le"),
        "Latin-1": TABLE.encode("latin-1"),
        "Windows lines": TABLE.replace("\n", "\r\n").encode(),
        "old Macintosh lines": TABLE.replace("\n", "\r").encode(),
        "semicolons and decimal commas": SEMICOLON.encode(),
        "Latin-1 with semicolons": SEMICOLON.encode("latin-1"),
        "tabs": SEMICOLON.replace(";", "\t").encode(),
        "Excel's Unicode text": SEMICOLON.replace(";", "\t").encode("utf-16"),
        "bars": SEMICOLON.replace(";", "|").replace(",5", ".5").replace(",25", ".25").encode(),
        "Excel's own first line": b"sep=;\n" + SEMICOLON.encode(),
        "comments": b"# exported 2026-03-01, by hand\n" + TABLE.replace("P2", "# a note\nP2").encode(),
        "a comment with a quote": b"# don't \"trust\n" + TABLE.encode(),
        "blank lines": TABLE.replace("\n", "\n\n").replace("P2", ",,,,\nP2").encode(),
        "blank columns at the end": TABLE.replace("\n", ",,\n").encode(),
        "blanks around cells": TABLE.replace(",", " ,").replace('"Köln ,', '"Köln,').encode(),
        "every cell in quotes": b'"patient_id","age","os_days","event","site"\n"P1","60.5","289","1","K\xc3\xb6ln, '
        b'S\xc3\xbcd"\n"P2","71.25","600","0","Milano"\n',
        "no line at the end": TABLE.rstrip("\n").encode(),
    }.items(),
    ids=lambda item: item[0],
)
def test_dialects_read_alike(tmp_path, content):
    table = read(tmp_path, content[1])
    assert table.columns == ("patient_id", "age", "os_days", "event", "site")
    assert tuple(tuple(cells) for _, cells in table.lines) == CELLS


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "nothing found"),
        (b"\n \n# only a comment\n", "nothing found"),
        (b"patient_id,age\n", "a header without rows"),
        (b"\xd0\xcf\x11\xe0" + b"\0" * 600, "Excel 97.*Save it as .xlsx or CSV"),
        (b"\x1f\x8b\x08\x00", "compressed"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"a,b\n1,\0\n", "binary"),
        (b"\xff\xfe\x00P\xff", "no text"),
        (b"PK\x03\x04 no zip", "an unreadable workbook"),
        (b"age,Age\n1,2\n", "columns 'age' and 'Age' found.*Rename"),
        (b"x,age,AGE,age\n0,1,2,3\n", "'age' and 'AGE' and 'age'"),
        (b"a,b\n1,2\n3\n", "row 3: 1 cells found → 2"),
        (b"a,b\n1,2\n3,4,5\n", "row 3: 3 cells found → 2"),
        (b'a,b\n1,"2\n3,4\n', "row 2: a row that is no CSV"),
        (b'a,b\n1,"2\n3,4\n5,6"\n7,8\n', "row 2: a quoted cell that takes in row 3"),
        (b"a,b\n1," + b"x" * 140_000 + b"\n", "row 2.*131,072"),
        (b"a,b\n#1,2\n3,4\n", "row 2: a line that begins with # and has 2 cells"),
        (b"a,b;c\n1,2;3\n", "comma and semicolon could both"),
        (b'a,b\n1,"1,234"\n', "row 2: '1,234' found, which can be read as thousands"),
        (b"a;b;c\n1;0,5;1.234\n", "row 2: '1.234' found, which can be read"),
        (b"a;days\n1;345\n2;1,234\n", "row 3: '1,234' found, which can be read"),
        (b",\n1,2\n", "header"),
    ],
)  # fmt: skip
def test_what_is_no_table_or_has_two_readings_is_one_sentence(tmp_path, content, words):
    if content.startswith(b"PK"):
        pytest.importorskip("openpyxl")
    with pytest.raises(DataError, match=words):
        read(tmp_path, content)


def test_all_faulty_rows_are_listed_at_once(tmp_path):
    with pytest.raises(DataError, match=f"{MOST_LISTED + 2} rows found that cannot be read") as caught:
        read(tmp_path, "a,A,b\n" + "1\n" * (MOST_LISTED + 1))
    assert "columns 'a' and 'A'" in str(caught.value) and "and 2 more" in str(caught.value)


@pytest.mark.parametrize("cell", ["0.123", "12.5", "60.4630137", "1.26.4", "-1", "R132H"])
def test_other_cells_of_a_table_with_decimal_commas_stay_as_they_are(tmp_path, cell):
    table = read(tmp_path, f"a;b;c\n1;0,5;{cell}\n2;-1,5e-3;x\n")
    assert [cells[1:] for _, cells in table.lines] == [["0.5", cell], ["-1.5e-3", "x"]]


def test_ages_with_three_decimals_between_semicolons_are_decimals(tmp_path):
    assert [cells[1] for _, cells in read(tmp_path, "a;age\n1;60,463\n2;52\n").lines] == ["60.463", "52"]


def test_a_cell_of_several_lines_is_one_cell(tmp_path):
    table = read(tmp_path, 'patient_id,"Survival\n(days)",note\nP1,5,"one\n\n# two"\nP2,6,x\n')
    assert table.columns[1] == "Survival (days)"
    assert table.lines == ((3, ["P1", "5", "one\n\n# two"]), (6, ["P2", "6", "x"]))


@pytest.mark.parametrize("path", ["x" * 5000, "no/such/file.csv", "nul\0byte"])
@pytest.mark.parametrize("reader", [lambda p: TableCohort(p).cases(), read_feature_csv, mapped_names])
def test_a_path_that_cannot_be_is_one_sentence(tmp_path, path, reader):
    with pytest.raises(DataError, match="cannot be read|no file"):
        reader(path if reader is read_feature_csv else tmp_path / path)


def workbook(path, *sheets):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets:
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


ROWS = [["patient_id", "age", "os_days", "event", "eor"], ["P1", 60.5, 289, 1, "GTR"], ["P2", 71.0, 600.0, False, None]]


def test_a_workbook_reads_as_its_csv_would(tmp_path):
    path = workbook(tmp_path / "t.xlsx", ("notes", []), ("data", ROWS))
    cases = TableCohort(path).cases()
    assert [case.outcome for case in cases] == [Outcome(289, True), Outcome(600, False)]
    assert [(c.clinical.age_years, c.clinical.extent) for c in cases] == [(60.5, Extent.GTR), (71, None)]


def test_of_several_sheets_one_must_be_named(tmp_path):
    path = workbook(tmp_path / "t.xlsx", ("data", ROWS), ("dictionary", [["column", "meaning"], ["age", "years"]]))
    with pytest.raises(DataError, match=r"2 sheets.*data, dictionary.*t\.xlsx#SHEET"):
        read_text_table(path)
    assert len(TableCohort(f"{path}#data").cases()) == 2
    with pytest.raises(DataError, match="no sheet 'Data'"):
        read_text_table(f"{path}#Data")


def test_a_formula_without_its_result_is_not_a_blank(tmp_path):
    path = workbook(tmp_path / "t.xlsx", ("data", [*ROWS, ["P3", "=60+1", 100, 1, ""]]))
    with pytest.raises(DataError, match="row 4: a formula without a stored result"):
        read_text_table(path)


def test_without_openpyxl_a_workbook_says_what_to_install(tmp_path, monkeypatch):
    path = tmp_path / "t.xlsx"
    path.write_bytes(b"PK\x03\x04")
    real = builtins.__import__

    def without(name, *others, **named):
        if name == "openpyxl":
            raise ImportError(name)
        return real(name, *others, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(EnvironmentFault, match=r"pip install 'glioma-os\[xlsx\]'.*CSV"):
        read_text_table(path)
