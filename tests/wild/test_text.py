"""Ids and values from tables reach the report, the sweep's page, the terminal and CSV files without acting there."""

import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.console import Console

from glioma_os.errors import CONTROL, DataError, printable
from glioma_os.records import Case
from glioma_os.reporting import figures
from glioma_os.reporting.report import ArmPage, ScoreRow, render
from glioma_os.reporting.result_files import FORMULA, csv_bytes, plain_cell, read_rows, safe_cell
from glioma_os.sweeps.collect import JobLine
from glioma_os.sweeps.report import sweep_page
from glioma_os.training import progress

EVIL = ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>", '"><svg onload=alert(1)>', "\x1b[2J\x1b]0;x\x07",
        "a\u202eb", "x\x9b31m", "{{ 7*7 }}", "</figcaption><b>"]  # fmt: skip


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), min_size=1))
@example("=1+1")
@example("'=1")
@example("-1")
@example("''")
def test_an_id_is_never_a_formula_and_is_read_back(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("csv") / "x.csv"
    path.write_bytes(csv_bytes(["case_id", "value"], [[text, -0.5], [text, "-0.5"]]))
    assert safe_cell(text)[0] not in FORMULA[:-1] and plain_cell(safe_cell(text)) == text
    assert read_rows(path) == [{"case_id": printable(text), "value": "-0.5"}] * 2


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "@SUM(A1)", "+1", "-1", "\t=1", "＝1", "+1+cmd|x"])
def test_formulas_of_every_kind_are_escaped_in_columns_of_ids(text):
    assert csv_bytes(["patient_id"], [[text]]).decode().splitlines()[1].strip('"').startswith("'")


def test_numbers_with_a_sign_stay_numbers():
    assert csv_bytes(["risk", "note"], [["-0.25", "+1.5"], [-3.0, "-inf"]]) == b"risk,note\n-0.25,+1.5\n-3.0,-inf\n"
    assert csv_bytes(["note"], [["-x"]]) == b"note\n'-x\n"


@pytest.mark.parametrize("mark", ["\x1b", "\x07", "\x00", "\x7f", "\x9b", "\u202e", "\t", "\r", "\n", "/", "\\"])
def test_an_id_with_a_control_character_is_refused_without_repeating_it(mark):
    with pytest.raises(DataError) as caught:
        Case(f"a{mark}b", "p", "c", None)
    assert mark in "/\\" or mark not in str(caught.value)


@pytest.mark.parametrize("text", EVIL)
def test_the_terminal_shows_control_characters_and_obeys_none(monkeypatch, text):
    shown = io.StringIO()
    monkeypatch.setattr(progress, "console", Console(file=shown, highlight=False))
    progress.say(f"case {text} [bold]x[/bold]")
    assert not CONTROL.search(shown.getvalue()) and "[bold]" in shown.getvalue()


@pytest.mark.parametrize("text", EVIL)
def test_the_sweeps_page_shows_text_and_runs_none(tmp_path, text):
    job = JobLine(0, tmp_path, {"head": text, "x": "y"}, "failed", 1.0, f"said {text}", {text: tmp_path})
    other = JobLine(1, tmp_path, {"head": "b", "x": "y"}, "failed", 1.0, text, {})
    html = sweep_page(text, [job, other], [], [], tmp_path, "today")
    assert not CONTROL.search(html)
    assert not any(tag in html for tag in ("<script>alert", "<img src=x", "<svg onload", "<b>"))


@pytest.mark.parametrize("text", EVIL)
def test_the_report_shows_text_and_runs_none(text):
    label = CONTROL.sub("", text)  # figures hold names of models and no ids
    drawn = figures.forest([(label, 0.6, 0.5, 0.7, True)], label, label, 0.5)
    shown = ArmPage(
        name=text, subtitle=text, headline=text, flow=[(text, 1)], metrics=("auc",),
        scores=[ScoreRow(text, text, ((text, text), (text, text)), True)], facts=[(text, text)],
        groups=[(text, 1, 0.1, text)], figures=[drawn], forest=drawn, dice=drawn, dice_text=text,
        overlays=[("data:,", text)], warnings=[text], judgement=[(text, text)], subgroups=[],
        checklist=[(text, text, text)],
    )  # fmt: skip
    html = render(text, text, [], [shown], [(text, text)], "today")
    assert not CONTROL.search(html)
    assert not any(tag in html for tag in ("<script>alert", "<img src=x", "<svg onload", "</figcaption><b>"))
