"""The package of docs/extending.md, installed as it stands there, goes to the report."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

TEXT = (REPOSITORY / "docs/extending.md").read_text()


def write_package(folder):
    """The page's files, and what an installation leaves beside them."""
    for title, text in re.findall(r'^```\w+ title="(.+?)"\n(.*?)^```', TEXT, re.MULTILINE | re.DOTALL):
        path = folder / title
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "my_package/__init__.py").write_text("")
    points = tomllib.loads((folder / "pyproject.toml").read_text())["project"]["entry-points"]
    information = folder / "my_package-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    lines = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in own.items()) for group, own in points.items()]
    (information / "entry_points.txt").write_text("\n".join(lines))
    rows = [f"R{k:02d};{40 + k % 40};{2 + k % 30 if k % 9 else ''};{'yes' if k % 7 else 'no'}" for k in range(60)]
    (folder / "registry.csv").write_text("\n".join(["ID;AGE;MONTHS;DEAD", *rows, "R99;;5;yes"]) + "\n")
    return points


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    folder = tmp_path_factory.mktemp("package")
    return folder, write_package(folder)


def follow(folder, command):
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": f"{folder}{os.pathsep}{REPOSITORY}"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command], cwd=folder, env=environment, capture_output=True, text=True,
        timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return (folder / done.stdout.strip().splitlines()[-1]).read_text()


def test_one_of_each_kind_goes_to_the_report(package):
    folder, points = package
    assert {group.partition(".")[2] for group in points} == {
        "cohort", "head", "features", "tracker", "network", "pooling", "transfer"
    }  # fmt: skip
    table, images = re.findall(r"^```bash\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    page = follow(folder, table)
    assert "Nearest neighbours" in page and "excluded: no age" in page and "registry" in page
    assert "excluded: no survival recorded" in page
    stages = [line.split()[-2] for line in (folder / "runs.txt").read_text().splitlines()]
    assert sorted(stages) == ["study", "survival"]
    page = follow(folder, images)
    assert "Nearest neighbours" in page and "t1c, t1, t2, flair" in page
