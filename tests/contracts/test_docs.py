"""Documents that name code or tests name what exists."""

import re

from tests.conftest import REPOSITORY


def test_the_table_of_faults_is_whole_and_its_tests_exist():
    text = (REPOSITORY / "docs/faults.md").read_text()
    rows = re.findall(r"^\| (\d+) \| .+ \| .+ \| (.+) \|$", text, re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 101))
    tests = {
        name
        for path in (REPOSITORY / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)\(", path.read_text(), re.MULTILINE)
    }
    named = [set(re.findall(r"`(\w+)`", cell)) for _, cell in rows]
    assert all(named)
    assert not set.union(*named) - tests
