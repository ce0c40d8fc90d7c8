"""What every step is: fields that name its run, and the work that fills the run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar

from glioma_os.config.component import Component
from glioma_os.pipeline.workspace import Workspace
from glioma_os.training.progress import say
from glioma_os.training.run import Run


@dataclass(frozen=True)
class Step(ABC):
    """A step of the pipeline. Fields with `compare=False` change where or how fast it runs, not what it leaves; all
    others are in its run's key.

    `stage` names its folder under `runs/`. `version` is raised when a change of the modules in `guards` alters what
    its runs hold: they are then made anew. tests/contracts/test_versions.py fails when those modules change and
    nobody has decided.
    """

    stage: ClassVar[str]
    version: ClassVar[int]
    guards: ClassVar[tuple[str, ...]]
    seed: int

    def key(self) -> dict[str, Any]:
        """All that the run depends on, as plain values; the seed is in the run's name."""
        own = {field.name: describe(getattr(self, field.name)) for field in fields(self) if field.compare}
        own.pop("seed")
        return {"version": self.version, **own}

    def open(self, workspace: Workspace) -> Run:
        """Its run directory, whether it is finished or not."""
        return workspace.run(self.stage, self.key(), self.seed)

    def run(self, workspace: Workspace) -> Run:
        """Its finished run: of now, or of an earlier call with the same key."""
        run = self.open(workspace)
        with run.writing() as todo:
            if todo:
                self.work(workspace, run)
            self.show(workspace, run, fresh=todo)
        return run

    def show(self, workspace: Workspace, run: Run, fresh: bool) -> None:
        """`publish`, whose failure is a line: results are on disk, and a dashboard must not end the work."""
        try:
            self.publish(workspace, run, fresh)
        except Exception as fault:
            say(f"Tracker: {run.stage} {run.id} is not shown ({type(fault).__name__}: {fault})")

    @abstractmethod
    def work(self, workspace: Workspace, run: Run) -> None:
        """Writes the run's files."""

    def publish(self, workspace: Workspace, run: Run, fresh: bool) -> None:  # noqa: B027
        """Shows the run on a dashboard; `fresh` = it was made by this call. Nothing by default."""


def describe(value: Any, defaults: bool = True) -> Any:
    """Plain values that stand for `value` in a key: of components and dataclasses every field, defaults among them.

    Without `defaults` no class is imported: for keys that hold the digest of the whole code.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value.value if isinstance(value, Enum) else value
    if isinstance(value, Run):
        return value.id
    if isinstance(value, Step):
        return {"stage": value.stage, "seed": value.seed, **value.key()}
    if isinstance(value, Component):
        given = {"class": value.target, **value.values}
        return describe(value.described() if defaults else given, defaults)
    if is_dataclass(value) and not isinstance(value, type):
        own = {field.name: describe(getattr(value, field.name), defaults) for field in fields(value) if field.compare}
        return {"class": type(value).__name__, **own}
    if isinstance(value, Mapping):
        return {str(name): describe(one, defaults) for name, one in value.items()}
    if isinstance(value, tuple | list | frozenset | set):
        return [describe(one, defaults) for one in (sorted(value) if isinstance(value, frozenset | set) else value)]
    if isinstance(value, Path):
        raise TypeError(f"a path stands in a key: {value}")  # a key must be the same on every machine
    raise TypeError(f"{type(value).__name__} cannot stand in a key")
