"""Jobs of a sweep through a SLURM queue, by submitit; their folders must be on a disk that the nodes share."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glioma_os.errors import EnvironmentFault


@dataclass(frozen=True)
class Remote:
    """A command on a node: its output goes to `log`, its exit code comes back.

    When SLURM takes the node away, submitit queues it again; the same command goes on from its last checkpoint.
    """

    command: tuple[str, ...]
    log: str
    environment: Mapping[str, str]

    def __call__(self) -> int:
        """Runs it."""
        with open(self.log, "ab") as output:
            return subprocess.run(
                self.command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                env=os.environ | dict(self.environment), check=False,
            ).returncode  # fmt: skip

    def checkpoint(self) -> Any:
        """What submitit queues in its place."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


class Queue:
    """Hands commands to `cluster` (slurm, or local to try it out); `options` are submitit's, such as timeout_min,
    mem_gb, cpus_per_task, slurm_partition."""

    def __init__(self, cluster: str, folder: Path, options: Mapping[str, Any]) -> None:
        try:
            import submitit
        except ModuleNotFoundError as fault:
            raise EnvironmentFault(
                "hydra/launcher=slurm", "submitit is not installed", "pip install submitit"
            ) from fault
        try:
            self._executor = submitit.AutoExecutor(folder=folder / "submitit", cluster=cluster)
            self._executor.update_parameters(**options)
        except (RuntimeError, NameError, ValueError) as fault:
            raise EnvironmentFault("hydra/launcher=slurm", str(fault), "Start it where sbatch is") from fault

    def start(self, command: Sequence[str], log: Path, environment: Mapping[str, str], gpus: int) -> QueuedJob:
        """Submits one job; `gpus` on one node."""
        if gpus:
            self._executor.update_parameters(gpus_per_node=gpus)
        return QueuedJob(self._executor.submit(Remote(tuple(command), str(log.resolve()), dict(environment))))


class QueuedJob:
    """A submitted job, asked as a process is asked."""

    def __init__(self, job: Any) -> None:
        self._job = job

    def poll(self) -> int | None:
        """Its exit code; None while it waits or runs; 1 where SLURM ended it without one."""
        if not self._job.done():
            return None
        try:
            return int(self._job.result())
        except Exception:  # whatever ended it, the job failed and its log says how
            return 1

    def stop(self) -> None:
        """Takes it from the queue."""
        with contextlib.suppress(Exception):
            self._job.cancel(check=False)
