"""The 95 % intervals hold the truth about as often as they say: the table of experiments/05_coverage, made anew."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "experiments" / "05_coverage" / "coverage.py"


@pytest.mark.slow
def test_intervals_cover_between_92_and_97_percent():
    done = subprocess.run([sys.executable, SCRIPT, "600"], capture_output=True, text=True, check=True)
    lines = [line.strip("| ").split(" | ") for line in done.stdout.splitlines()[2:]]
    assert [name for name, *_ in lines] == ["percentile", "BCa"]
    for name, *shares in lines:
        found = [float(share.rstrip("%")) for share in shares]
        assert len(found) == 4 and all(92 <= share <= 97 for share in found), (name, found)
