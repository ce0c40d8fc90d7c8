"""Documents that name code or tests name what exists."""

import re

import pytest
import yaml

from tests.conftest import REPOSITORY

CONF = REPOSITORY / "conf"


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


PAGES = sorted([*(REPOSITORY / "docs").rglob("*.md"), REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md"])
# Parts of the repository that a page may name as a file or folder.
NAMED = re.compile(
    r"`((?:glioma_os|tests|conf|experiments|survival|fusion|cohorts|networks|pipeline|config|stages)/[\w./]*)`"
)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_files_and_tests_that_a_page_names_exist(path):
    text = path.read_text()
    for name in NAMED.findall(text):
        assert (REPOSITORY / name).exists() or (REPOSITORY / "glioma_os" / name).exists() or "/x." in name, name
    tests = {
        name
        for file in (REPOSITORY / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)\(", file.read_text(), re.MULTILINE)
    }
    files = {file.name for file in (REPOSITORY / "tests").rglob("test_*.py")}
    for name in re.findall(r"`(test_\w+)(?:\.py)?`", text):
        assert name in tests or f"{name}.py" in files, name


def keys_of(group):
    """Dotted keys of a group: those of config.yaml and of every option."""

    def flat(node, key):
        if isinstance(node, dict):
            for name, value in node.items():
                yield from flat(value, f"{key}.{name}")
        yield key

    nodes = [yaml.safe_load(path.read_text()) for path in (CONF / group).glob("*.yaml")]
    nodes += [yaml.safe_load((CONF / "config.yaml").read_text()).get(group) or {}]
    return {key for node in nodes for key in flat(node, group)}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_keys_that_a_page_sets_exist(path):
    """Words such as `validation.folds=2` in a page's commands."""
    known = {option.parent.name for option in CONF.rglob("*.yaml")} | {"pretraining", "finetuning", "synthetic"}
    for group, rest in re.findall(r"(?<![\w.@/-])([a-z_]+)\.([a-z0-9_.]+)=", path.read_text()):
        if group in known - {"hydra"} and not rest.startswith(("schedule.", "cohort.")):
            assert f"{group}.{rest}" in keys_of(group)
