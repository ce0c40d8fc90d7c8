"""A study: every arm validated, and one report."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import glioma_os
from glioma_os.errors import IntegrityError
from glioma_os.pipeline.arm import Arm
from glioma_os.pipeline.features.latents import LatentFeatures
from glioma_os.pipeline.step import Step, describe
from glioma_os.pipeline.workspace import Workspace
from glioma_os.training.run import Run, check_finished


@cache
def code_digest() -> str:
    """Of the package's source: a report is made anew by other code, from parts that have versions of their own."""
    folder = Path(glioma_os.__file__).parent
    total = hashlib.sha256()
    for path in sorted([*folder.rglob("*.py"), *folder.rglob("*.j2")]):
        total.update(path.read_bytes())
    return total.hexdigest()[:12]


@dataclass(frozen=True)
class Study(Step):
    """The arms of a study and one report on them. `cohorts`: fingerprints by arm, made without reading a voxel."""

    stage: ClassVar[str] = "study"
    version: ClassVar[int] = 2
    guards: ClassVar[tuple[str, ...]] = ()  # `code` stands for all of them
    arms: tuple[Arm, ...]
    cohorts: Any
    code: str
    on_arm: Callable[[Arm], None] = field(compare=False)
    on_scores: Callable[[Arm, Run], None] = field(compare=False)
    dashboards: dict[str, dict[str, Any]] = field(compare=False)

    @classmethod
    def of(
        cls, workspace: Workspace, arms: tuple[Arm, ...], dashboards: dict[str, dict[str, Any]],
        on_arm: Callable[[Arm], None], on_scores: Callable[[Arm, Run], None],
    ) -> Study:  # fmt: skip
        """The study of these arms. `on_arm` is called before an arm is validated, `on_scores` once all are."""
        cohorts = {arm.name: fingerprints(workspace, arm) for arm in arms}
        return cls(arms[0].seed, arms, cohorts, code_digest(), on_arm, on_scores, dashboards)

    def key(self) -> dict[str, Any]:
        """Without importing what the arms are made of: a finished study is found in a moment."""
        return {"version": self.version, "arms": describe(self.arms, defaults=False), "cohorts": self.cohorts,
                "code": self.code}  # fmt: skip

    def workspace_of(self, workspace: Workspace, arm: Arm) -> Workspace:
        """The same folders, under the arm's name on a dashboard."""
        return replace(workspace, arm=arm.name, dashboard=self.dashboards.get(arm.name, {}))

    def validated(self, workspace: Workspace, arm: Arm) -> Run:
        """The survival run of an arm, of now or of an earlier call."""
        from glioma_os.pipeline.survival import ValidateSurvival

        own = self.workspace_of(workspace, arm)
        return ValidateSurvival.of(own, arm).run(own)

    def work(self, workspace: Workspace, run: Run) -> None:
        """Validates the arms and writes report.html, checklists, model cards and runs.json."""
        from glioma_os.pipeline.report import build_report

        done = {}
        for arm in self.arms:
            self.on_arm(arm)
            done[arm.name] = self.validated(workspace, arm)
        for arm in self.arms:
            self.on_scores(arm, done[arm.name])
        build_report(workspace, self.arms, done, run)
        run.write_json("runs.json", {name: str(found.folder) for name, found in done.items()})

    def publish(self, workspace: Workspace, run: Run, fresh: bool) -> None:
        """The report's digest, and the runs it was made from."""
        if not fresh and not workspace.tracker.owes(workspace.runs):
            return
        from glioma_os.pipeline.publish import publish_report

        parts = {arm.name: self.validated(workspace, arm) for arm in self.arms}
        publish_report(self.workspace_of(workspace, self.arms[0]), run, parts, fresh)

    def folders(self, run: Run) -> dict[str, Path]:
        """Run folders of the arms and of the study; an arm's run that is gone or changed is an IntegrityError."""
        found = {name: Path(folder) for name, folder in run.read_json("runs.json").items()}
        for folder in found.values():
            if check_finished(folder, run.whole) is None:
                raise IntegrityError(
                    folder, "no finished run found → the one that this study's report was made from expected",
                    f"Delete {run.folder} and run the same command again",
                )  # fmt: skip
        return found | {"study": run.folder}


def fingerprints(workspace: Workspace, arm: Arm) -> dict[str, Any]:
    """What an arm depends on beside its own fields: cohorts' cases and files, and feature tables."""
    components = {"cohort": arm.cohort}
    if isinstance(arm.features, LatentFeatures):
        components |= arm.features.plan.cohorts()
    content = workspace.store.sha256 if arm.features.needs_images else None
    own = {key: workspace.cohort(component).fingerprint(content) for key, component in components.items()}
    return own | {"features": arm.features.content(workspace, [workspace.cohort(arm.cohort)])}
