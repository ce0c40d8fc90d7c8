"""The configuration is whole and typed: every value that can change a number is a key, and every key has a type."""

import ast
import inspect
import json
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from glioma_os.config.component import Component, plain
from glioma_os.config.options import GROUPS, Channels, General
from glioma_os.config.registry import load_target
from glioma_os.pipeline.step import describe
from tests.contracts.test_conf import OPTIONS, WITH, configuration

PACKAGE = Path(__file__).resolve().parents[2] / "glioma_os"
# What code adds when it builds a component: no value of a configuration.
ADDED = {
    "cohort": {"progress"},
    "data": {"cohort", "store", "channels", "train_patients", "test_patients", "spacing_mm", "patch", "batch_size",
             "augmentation", "seed", "divisor", "options"},
    "network": {"channels"},
    "features": {"plan"},
}  # fmt: skip
SLOTS = ("cohort", "data", "network", "transfer", "features", "head", "endpoint", "trainer", "logger")


def as_plain(value):
    return json.loads(json.dumps(value))


@pytest.mark.parametrize("group", sorted(GROUPS))
def test_what_a_user_sees_of_a_group_is_its_dataclass_whole(group, monkeypatch):
    for name in ("HOME", "JOB", "BRATS2018", "BRATS2020", "BUNDLE", "BESTA", "REAL_DATA", "UPENN", "UCSF"):
        monkeypatch.delenv(f"GLIOMA_OS_{name}", raising=False)
    seen = {k: v for k, v in plain(configuration()[group]).items() if k not in ("cohort", "schedule")}
    assert seen == as_plain(asdict(GROUPS[group]()))


def test_and_so_are_the_values_outside_of_groups():
    cfg = configuration()
    for kind in (General, Channels):
        for field in fields(kind):
            found = cfg[field.name]
            assert (plain(found) if OmegaConf.is_config(found) else found) == as_plain(getattr(kind(), field.name))


@pytest.mark.parametrize(("group", "option"), [one for one in OPTIONS if one[0] in SLOTS], ids=lambda x: x)
def test_an_option_writes_out_every_value_of_its_class(group, option):
    """So that --cfg job shows it, it can be swept without +, and a key of the run holds it."""
    node = configuration(f"{group}={option}", *WITH.get((group, option), []))[group]
    nodes = {f"{group}.{name}": own for name, own in node.items()} if group == "head" else {group: node}
    for key, own in nodes.items():
        target = load_target(own["_target_"], key)
        taken = {name for name, one in inspect.signature(target).parameters.items() if one.kind is not one.VAR_KEYWORD}
        given = set(own) - {"_target_"}
        assert taken - ADDED.get(group, set()) == given & taken, f"{key}={option}"


def test_a_default_that_is_changed_in_code_changes_the_key(monkeypatch):
    from glioma_os.fusion.heads.cox import Cox

    bare = Component("head.cox", "glioma_os.fusion.heads.cox.Cox", {})
    before = describe(bare), describe(bare.build())
    signature = inspect.signature(Cox)
    changed = [p.replace(default=(77.0,)) if p.name == "l2" else p for p in signature.parameters.values()]
    monkeypatch.setattr(Cox, "__signature__", signature.replace(parameters=changed), raising=False)
    monkeypatch.setattr(Cox.__init__, "__defaults__", tuple(
        (77.0,) if name == "l2" else default
        for name, default in zip(list(signature.parameters), Cox.__init__.__defaults__, strict=True)
    ))  # fmt: skip
    assert before[0] != describe(bare) and before[1] != describe(bare.build())


def functions():
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                yield path.relative_to(PACKAGE), node


def test_only_entry_points_take_the_configuration():
    """Steps are built from typed options: a function that reads keys stands in stages/, config/ or __main__."""
    takers = set()
    for path, node in functions():
        for one in (*node.args.args, *node.args.kwonlyargs):
            if one.arg == "cfg" or "DictConfig" in ast.unparse(one.annotation or ast.Constant("")):
                takers.add(path.parts[0])
    assert takers <= {"stages", "config", "__main__.py"}


def test_files_and_functions_are_of_a_size_that_can_be_read():
    long = [str(path) for path in PACKAGE.rglob("*.py") if len(path.read_text().splitlines()) > 300]
    tall = [f"{path}:{node.name}" for path, node in functions() if (node.end_lineno or 0) - node.lineno + 1 > 60]
    assert not long and not tall


def test_steps_are_dataclasses_with_a_version():
    from glioma_os.pipeline.step import Step
    from tests.contracts.test_versions import steps

    assert len(steps()) > 8
    assert all(is_dataclass(step) and issubclass(step, Step) and step.version >= 1 and step.stage for step in steps())
