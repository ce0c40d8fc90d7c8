"""What a machine lacks: a folder that cannot be made, memory; and which versions are too old to be safe."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from glioma_os.__main__ import _exit_code
from tests.program import run

ROOT = Path(__file__).resolve().parents[2]
UNSAFE = {
    "hydra-core": "1.3.5",  # instantiate follows an alias to any function (GHSA-37p2)
    "torch": "2.9.1",  # CVE-2026-24747: weights_only=True can be evaded
    "monai": "1.5.1",  # CVE-2026-21851: an archive writes outside its folder
    "lightning": "2.6.3",  # malware
    "jinja2": "3.1.5",  # a template leaves the sandbox
}


@pytest.mark.parametrize("place", ["{tmp}/file/runs", "/dev/null/runs", "{tmp}/" + 300 * "x"])
def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path, place):
    (tmp_path / "file").write_text("")
    (tmp_path / "t.csv").write_text(
        "patient_id,age,os_days,event\n" + "".join(f"P{k},{40 + k},{99 + 9 * k},1\n" for k in range(40))
    )
    words = ("stage=survival", "cohort=table", "cohort.table=t.csv", "features=none", "head=cox")
    done = run(tmp_path, *words, f"paths.runs={place.format(tmp=tmp_path)}")
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 4 and last.startswith("EnvironmentFault") and "Traceback" not in done.stderr, done.stderr


def test_memory_that_runs_out_is_one_sentence(capsys):
    def work():
        raise MemoryError

    assert _exit_code(work, False) == 4
    assert re.search(r"EnvironmentFault: memory.*patch", capsys.readouterr().err)


def test_safety_bounds_of_packages_are_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    bounds = {one.name: one.specifier for one in map(Requirement, project["dependencies"])}
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().split() if "==" in line)
    for name, version in UNSAFE.items():
        assert Version(version) not in bounds[name]
        assert Version(pins[name]) in bounds[name]
