"""Distributed training (DDP): torchrun starts a process group, and all ranks end when one fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from glioma_os.errors import GliomaError, TrainingError
from glioma_os.training.processes import child_environment, die_with_parent, start, stop
from glioma_os.volumes.atomic import atomic_write

LOG, FAULT = "ranks.log", "fault.json"


def run_process_group(module: str, folder: Path, ranks: int, threads: int) -> None:
    """`python -m module folder` in `ranks` processes; their output goes to `ranks.log`.

    What a rank raised as a GliomaError is raised here; a rank that was killed is a TrainingError.
    No process is left running.
    """
    (folder / FAULT).unlink(missing_ok=True)
    command = [
        sys.executable, "-m", "glioma_os.training.distributed", "--standalone", "--max-restarts=0",
        f"--nproc-per-node={ranks}", "-m", module, str(folder),
    ]  # fmt: skip
    process = start(command, folder / LOG, child_environment(OMP_NUM_THREADS=str(threads)))
    try:
        code = _wait(process)
    finally:
        stop(process)
    if code:
        raise _fault(folder, code)


def _wait(process: subprocess.Popen[bytes]) -> int:
    """The exit code, waited for so that signals are heard at once."""
    while True:
        try:
            return process.wait(timeout=0.2)
        except subprocess.TimeoutExpired:
            continue


def record_fault(folder: Path, fault: GliomaError) -> None:
    """Stores a rank's error for the process that started the process group; the first one counts."""
    if not (folder / FAULT).exists():
        record = {"kind": type(fault).__name__, "parts": [fault.where, fault.problem, fault.remedy]}
        atomic_write(folder / FAULT, json.dumps(record).encode())


def _fault(folder: Path, code: int) -> GliomaError:
    try:
        record: dict[str, Any] = json.loads((folder / FAULT).read_text())
        kinds = {kind.__name__: kind for kind in GliomaError.__subclasses__()}
        return kinds[record["kind"]](*record["parts"])
    except (OSError, ValueError, KeyError, TypeError):
        return TrainingError(
            "trainer.devices", f"a rank exited with code {code}; the process group was stopped", f"Read {folder / LOG}"
        )


def threads_per_rank(ranks: int, accelerator: str) -> int:
    """Processor threads of each rank: its share of this machine on a processor, one with a GPU."""
    return max(1, (os.cpu_count() or 1) // ranks) if accelerator == "cpu" else 1


if __name__ == "__main__":
    die_with_parent()
    from torch.distributed.run import main

    main(sys.argv[1:])
