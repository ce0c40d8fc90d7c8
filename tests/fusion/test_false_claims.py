"""A smaller version of experiments/07_false_claims: gains that are not there are hardly ever claimed."""

import math
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "experiments" / "07_false_claims" / "simulate.py"
COHORTS = 60


def rows_of(part):
    command = [sys.executable, SCRIPT, "--cohorts", str(COHORTS), "--parts", part]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [[cell.strip() for cell in line.split("|")] for line in done.stdout.splitlines() if "|" in line]


def percent(cell):
    return float(cell.split("%")[0])


@pytest.mark.slow
def test_a_gain_that_is_not_there_is_not_claimed():
    limit = 100 * (0.025 + 2 * math.sqrt(0.025 * 0.975 / COHORTS))
    rows = rows_of("claims")
    assert len(rows) == 9
    for kind, _, endpoint, _, difference, above, _, says, to_age, *_ in rows:
        assert percent(above) <= limit and percent(says) <= percent(above), (kind, endpoint, above, says)
        assert abs(float(difference)) <= 0.003 if kind == "age" else -0.02 <= float(difference), (kind, endpoint)
        assert float(to_age.split(" (")[0]) >= -0.02, (kind, endpoint, to_age)


@pytest.mark.slow
def test_a_gain_that_is_there_is_found():
    found = {(kind, endpoint): percent(says) for kind, _, endpoint, _, _, _, _, says, *_ in rows_of("power")}
    assert all(found["signal 0.6", endpoint] >= 60 for _, endpoint in found)
