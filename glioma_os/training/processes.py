"""Child processes that never outlive who started them, and never take part in a group that is not theirs."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from glioma_os.errors import TERMINATED

GROUP_VARIABLES = (
    "LOCAL_RANK", "RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_RANK", "ROLE_RANK", "NODE_RANK", "MASTER_ADDR",
    "MASTER_PORT", "TORCHELASTIC_RUN_ID", "SLURM_PROCID", "SLURM_LOCALID", "JSM_NAMESPACE_RANK",
)  # fmt: skip
GRACE_S = 40.0  # between the wish and the end; torchrun gives its ranks 30 s
_PR_SET_PDEATHSIG = 1


def die_with_parent(number: int = signal.SIGTERM) -> None:
    """Asks Linux to signal this process when the one that started it ends, even if that one was killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(number))


def exit_on_signals() -> None:
    """SIGTERM ends this process in order, with its children; so does SIGUSR1, by which SLURM says that time is up,
    after asking for the job to be queued again."""
    signal.signal(signal.SIGTERM, _exit)
    signal.signal(signal.SIGUSR1, _requeue)


def _exit(number: int, frame: object) -> None:
    raise SystemExit(TERMINATED)


def _requeue(number: int, frame: object) -> None:
    job = os.environ.get("SLURM_JOB_ID")
    if job:
        subprocess.run(["scontrol", "requeue", job], check=False)
    raise SystemExit(TERMINATED)


def child_environment(**extra: str) -> dict[str, str]:
    """This process's environment without a process group's variables, so that a child forms its own."""
    return {name: value for name, value in os.environ.items() if name not in GROUP_VARIABLES} | extra


def start(command: list[str], log: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Starts a command in a session of its own, its output appended to `log`."""
    with log.open("ab") as output:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=dict(environment),
            start_new_session=True,
        )  # fmt: skip


def stop(process: subprocess.Popen[bytes], grace_s: float = GRACE_S) -> None:
    """Ends a process and all that it started: SIGTERM, then SIGKILL for what is left."""
    _signal(process, signal.SIGTERM)
    end = time.monotonic() + grace_s
    while time.monotonic() < end and _alive(process):
        time.sleep(0.05)
    _signal(process, signal.SIGKILL)
    process.wait()


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _alive(process: subprocess.Popen[bytes]) -> bool:
    """Whether any process of the group still runs."""
    process.poll()
    try:
        os.killpg(process.pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True
