"""A step's key: every field that counts, nothing of where it runs."""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import ClassVar

import pytest

from glioma_os.config.component import Component
from glioma_os.config.options import Schedule
from glioma_os.pipeline.step import Step, describe
from glioma_os.pipeline.workspace import Workspace


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True)
class Count(Step):
    stage: ClassVar[str] = "count"
    version: ClassVar[int] = 1
    guards: ClassVar[tuple[str, ...]] = ()
    to: int
    where: str = field(compare=False, default="here")

    def work(self, workspace, run):
        run.write_json("count.json", list(range(self.to)))


@dataclass(frozen=True)
class Sum(Step):
    stage: ClassVar[str] = "sum"
    version: ClassVar[int] = 1
    guards: ClassVar[tuple[str, ...]] = ()
    of: Count

    def work(self, workspace, run):
        run.write_json("sum.json", sum(self.of.run(workspace).read_json("count.json")))


@pytest.fixture
def workspace(tmp_path):
    tracker = Component("logger", "glioma_os.pipeline.trackers.CsvTracker", {})
    return Workspace(tmp_path / "runs", tmp_path / "store", tmp_path, "name", tracker)


def test_the_same_fields_find_the_same_run_and_others_another(workspace):
    run = Count(1, 3).run(workspace)
    assert run.done and run.read_json("count.json") == [0, 1, 2]
    assert Count(1, 3, "there").open(workspace).folder == run.folder
    for other in (Count(2, 3), Count(1, 4)):
        assert other.open(workspace).folder != run.folder and not other.open(workspace).done


def test_work_is_done_once(workspace, monkeypatch):
    Count(1, 3).run(workspace)
    monkeypatch.setattr(Count, "work", lambda *a: pytest.fail("done before"))
    Count(1, 3).run(workspace)


def test_a_parents_version_is_in_the_key_of_its_child(workspace, monkeypatch):
    before = Sum(1, Count(1, 3)).open(workspace).id
    monkeypatch.setattr(Count, "version", 2)
    assert Sum(1, Count(1, 3)).open(workspace).id != before


def test_what_stands_for_a_value_is_plain_and_whole():
    found = describe({"a": (1, None, Colour.RED, frozenset({"b", "a"})), "s": Schedule(epochs=3)})
    assert found["a"] == [1, None, "red", ["a", "b"]]
    assert found["s"]["class"] == "Schedule" and found["s"]["epochs"] == 3 and found["s"]["lr"] == 1e-4
    assert describe(replace(Schedule(), lr=2e-4)) != describe(Schedule())
    component = Component("head.cox", "glioma_os.fusion.heads.cox.Cox", {})
    assert describe(component)["class"].endswith("Cox") and describe(component)["l2"]


@pytest.mark.parametrize("value", [Path("/x"), object(), {1}.__iter__()])
def test_what_differs_between_machines_cannot_stand_in_a_key(value):
    with pytest.raises(TypeError):
        describe(value)
