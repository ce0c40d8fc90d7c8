"""The tutorials' commands, as a reader would type them, in an empty folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

FOLDER = REPOSITORY / "docs/tutorials"


def commands(name):
    """The text of the page's bash blocks."""
    text = (FOLDER / f"{name}.md").read_text()
    return re.findall(r"^```bash\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def follow(name, folder):
    """Runs the page's blocks one after the other; what they print."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    printed = []
    for block in commands(name):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block], cwd=folder, env=environment, capture_output=True, text=True,
            timeout=900, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{block}\n{done.stderr[-3000:]}"
        printed.append(done.stdout + done.stderr)
    return printed


def test_every_tutorial_is_followed():
    assert {path.stem for path in FOLDER.glob("*.md")} == {"own_table", "review", "sweep"}
    assert all(len(commands(path.stem)) > 2 for path in FOLDER.glob("*.md"))


def test_the_tutorial_of_a_clinician(tmp_path):
    _, verified, study, with_features = follow("own_table", tmp_path)
    assert "60 cases of 60 patients" in verified and "0 errors" in verified
    first, second = (re.search(r"^runs/study/\S+report.html$", text, re.MULTILINE) for text in (study, with_features))
    assert first and (tmp_path / first[0]).exists() and second
    page = (tmp_path / second[0]).read_text()
    assert "no gain" in page and "the images improve on" not in page


def test_the_tutorial_of_a_reviewer(tmp_path):
    audited, control, external = follow("review", tmp_path)
    assert "patients are in synthetic_brats2018 too" in audited
    assert "null mean" in control and "p = " in control
    assert "Trained on synthetic_brats2020" in external and "Differences between the cohorts" in external


@pytest.mark.slow
def test_the_tutorial_of_a_research_engineer(tmp_path):
    first, collected, tracked = follow("sweep", tmp_path)
    assert "Δ age" in first and "report.html" in collected and "dashboard runs are waiting" in tracked
