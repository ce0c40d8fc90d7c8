"""Jobs of a sweep through a SLURM queue, by submitit; their folders must be on a disk that the nodes share."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glioma_os.errors import EnvironmentFault
from glioma_os.volumes.atomic import atomic_write

EXIT_CODE = "exit_code"  # beside a job's log: what the command ended with on its node
ASKED_EVERY_S = 5.0
ABSENT = 3  # answers without the job, before it counts as gone: a job that is queued again can miss from one


@dataclass(frozen=True)
class Remote:
    """A command on a node: its output goes to `log`, its exit code into a file beside it.

    When SLURM takes the node away, submitit queues it again; the same command resumes from its last checkpoint.
    """

    command: tuple[str, ...]
    log: str
    environment: Mapping[str, str]

    def __call__(self) -> int:
        """Runs it."""
        with open(self.log, "ab") as output:
            code = subprocess.run(
                self.command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                env=os.environ | dict(self.environment), check=False,
            ).returncode  # fmt: skip
        atomic_write(Path(self.log).parent / EXIT_CODE, str(code).encode())
        return code

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
                "hydra/launcher=slurm",
                "submitit not found → an installed package expected",
                "Run pip install 'glioma-os[sweep]'",
            ) from fault
        try:
            self._executor = submitit.AutoExecutor(folder=folder / "submitit", cluster=cluster)
            self._executor.update_parameters(**options)
        except (RuntimeError, NameError, ValueError) as fault:
            raise EnvironmentFault("hydra/launcher=slurm", str(fault), "Run it on a host with sbatch") from fault
        self._threads = options.get("cpus_per_task")
        self._states = SlurmStates() if cluster == "slurm" else None

    def start(self, command: Sequence[str], log: Path, environment: Mapping[str, str], gpus: int) -> QueuedJob:
        """Submits one job; `gpus` on one node. It has the processor threads that it asks the queue for."""
        if gpus:
            self._executor.update_parameters(gpus_per_node=gpus)
        own = dict(environment) | ({"OMP_NUM_THREADS": str(self._threads)} if self._threads else {})
        (log.parent / EXIT_CODE).unlink(missing_ok=True)
        try:
            job = self._executor.submit(Remote(tuple(command), str(log.resolve()), own))
        except Exception as fault:  # submitit passes on whatever sbatch said
            raise EnvironmentFault("sbatch", " ".join(str(fault).split()), "Correct hydra.launcher.queue") from fault
        return QueuedJob(job, log.parent / EXIT_CODE, self._states)


class SlurmStates:
    """States of the user's jobs by `squeue`, which needs no accounting; asked for all at once, every few seconds."""

    def __init__(self) -> None:
        self._asked, self._answers, self._states = -ASKED_EVERY_S, 0, dict[str, str]()

    def state(self, job: str) -> tuple[int, str | None]:
        """The number of the answer, and what it says of a job; None: nothing."""
        if time.monotonic() - self._asked >= ASKED_EVERY_S:
            self._asked = time.monotonic()
            answer = _output("squeue", "--me", "--noheader", "--format=%i|%T")
            if answer is not None:
                self._answers += 1
                self._states = dict(line.strip().split("|", 1) for line in answer.splitlines() if "|" in line)
        return self._answers, self._states.get(job)

    @staticmethod
    def end(job: str) -> str:
        """How a job ended, as far as the controller or the accounting remembers."""
        for words in (("scontrol", "show", "job", "--oneliner", job), ("sacct", "-XnP", "-o", "State", "-j", job)):
            answer = (_output(*words) or "").strip()
            found = re.search(r"JobState=(\S+)(?: Reason=(\S+))?", answer)
            if found:
                return found[1] + (f" ({found[2]})" if found[2] not in (None, "None") else "")
            if answer:
                return answer.splitlines()[0]
        return "no longer in the queue"


def _output(*command: str) -> str | None:
    """What a command of SLURM prints; None where it fails or is not installed."""
    if shutil.which(command[0]) is None:
        return None
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    return None


class QueuedJob:
    """A submitted job, asked as a process is asked."""

    def __init__(self, job: Any, exit_code: Path, states: SlurmStates | None) -> None:
        self._job, self._file, self._states = job, exit_code, states
        self._code: int | None = None
        self._absent: set[int] = set()
        self.reason = ""

    def poll(self) -> int | None:
        """Its exit code; None while it waits or runs; 1 where it ended without one, and `reason` says how."""
        if self._code is None:
            self._code = self._written()
        if self._code is None and self._is_gone():
            self._code = self._written()
            if self._code is None:
                self._code, self.reason = 1, f"job {self._job.job_id} ended without an exit code: {self._ending()}"
        return self._code

    def _written(self) -> int | None:
        with contextlib.suppress(OSError):
            os.listdir(self._file.parent)  # makes a network disk look anew
            return int(self._file.read_text())
        return None

    def _is_gone(self) -> bool:
        """Whether it left the queue, whatever became of it."""
        if self._states is None:
            return bool(self._job.done())
        answer, state = self._states.state(self._job.job_id)
        self._absent = set() if state is not None else self._absent | {answer} - {0}
        return len(self._absent) >= ABSENT

    def _ending(self) -> str:
        said = self._states.end(self._job.job_id) if self._states is not None else "its process is gone"
        with contextlib.suppress(OSError):
            lines = self._job.paths.stderr.read_text(errors="replace").split("\n")
            said = " | ".join([said, *[line.strip() for line in lines if line.strip()][-1:]])
        return said

    def stop(self) -> None:
        """Takes it from the queue, if it is still there."""
        if self._code is None:
            with contextlib.suppress(Exception):
                self._job.cancel(check=False)
