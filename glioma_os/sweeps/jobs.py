"""Jobs of a sweep, each a process tree of its own: what one does cannot reach another, and each fails alone."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from glioma_os.errors import ConfigError, DataError, EnvironmentFault, IntegrityError
from glioma_os.training.processes import child_environment, start, stop
from glioma_os.training.run import check_finished
from glioma_os.volumes.atomic import atomic_write

JOB, RESULT, LOG, SWEEP = "job.json", "result.json", "job.log", "sweep.json"
REPORTS = "reports.jsonl"  # one number a line, as they come: a search may end the job on them
LAST_LINES = 2  # of a failed job's log, in the summary
PROGRAM = (sys.executable, "-m", "glioma_os")
NOT_RETRIED = (0, ConfigError.exit_code, DataError.exit_code)  # the same words or files would fail again


@dataclass(frozen=True)
class Job:
    """`overrides` make its command line; `folder` gets its log and its result; `gpus`: how many it needs."""

    number: int
    folder: Path
    overrides: tuple[str, ...]
    gpus: int = 0


@dataclass(frozen=True)
class Pool:
    """What jobs share: `n_jobs` at a time, GPUs handed out by index, seconds and retries that each has."""

    n_jobs: int = 1
    gpus: tuple[int, ...] = ()
    time_limit_s: float | None = None
    retries: int = 0

    def __post_init__(self) -> None:
        def whole(value: object, least: int) -> bool:
            return isinstance(value, int) and not isinstance(value, bool) and value >= least

        limit = self.time_limit_s
        timed = limit is None or (isinstance(limit, int | float) and not isinstance(limit, bool) and limit > 0)
        fine = {
            "n_jobs": (whole(self.n_jobs, 1), "a whole number of 1 or more"),
            "gpus": (all(whole(gpu, 0) for gpu in self.gpus), "a list of whole numbers such as [0,1]"),
            "time_limit_s": (timed, "seconds above 0 or null"),
            "retries": (whole(self.retries, 0), "a whole number of 0 or more"),
        }
        for key, (right, expected) in fine.items():
            if not right:
                raise ConfigError(
                    f"hydra.launcher.{key}", f"{getattr(self, key)!r} found → {expected} expected", "Correct the value"
                )

    def threads(self) -> int:
        """Processor threads a job."""
        return max(1, (os.cpu_count() or 1) // self.n_jobs)


@dataclass(frozen=True)
class Outcome:
    """`status`: done, failed, out of time or pruned; `result`: what the job left; `said`: the end of its log."""

    job: Job
    status: str
    code: int = 0
    seconds: float = 0.0
    attempts: int = 0
    result: dict[str, Any] = field(default_factory=dict)
    said: str = ""

    @property
    def done(self) -> bool:
        """Whether it came to its end."""
        return self.status == "done"


class Handle(Protocol):
    """A job that was started: its exit code, None while it runs; a way to end it; `reason`: how it ended, where its
    log cannot say."""

    reason: str

    def poll(self) -> int | None:
        """The exit code, if there is one."""
        ...

    def stop(self) -> None:
        """Ends it and all that it started."""
        ...


Hopeless = Callable[[int, list[float]], bool]
Starter = Callable[[Sequence[str], Path, Mapping[str, str], int], Handle]


class LocalJob:
    """A process tree on this machine."""

    def __init__(self, command: Sequence[str], log: Path, environment: Mapping[str, str], gpus: int = 0) -> None:
        self._process = start(list(command), log, child_environment(**environment))
        self.reason = ""

    def poll(self) -> int | None:
        """The exit code, if there is one."""
        return self._process.poll()

    def stop(self) -> None:
        """Ends it and all that it started."""
        stop(self._process)


@dataclass
class _Running:
    job: Job
    handle: Handle
    gpus: tuple[int, ...]
    began: float
    attempt: int


def own_words(overrides: Sequence[str], jobs: Sequence[Job]) -> str:
    """Those of a job's overrides that not all jobs share; of a single job all."""
    if len(jobs) == 1:
        return " ".join(overrides)
    shared = set.intersection(*(set(job.overrides) for job in jobs))
    return " ".join(word for word in overrides if word not in shared) or "no overrides of its own"


def earlier_outcome(job: Job, key: str) -> Outcome | None:
    """What this job came to before, if it was done, still depends on the same (`key`) and its runs are as it left them.

    Where they are not, the job runs again and says what is wrong.
    """
    try:
        record = json.loads((job.folder / JOB).read_text())
        result = json.loads((job.folder / RESULT).read_text())
        if record["status"] != "done" or result["key"] != key:
            return None
        if any(check_finished(Path(run), whole=False) is None for run in result.get("runs", {}).values()):
            return None
        return Outcome(job, "done", 0, record["seconds"], 0, result)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IntegrityError):
        return None


def run_jobs(
    jobs: Sequence[Job],
    pool: Pool,
    ended: Callable[[Outcome], None],
    program: Sequence[str] = PROGRAM,
    starter: Starter = LocalJob,
    hopeless: Hopeless | None = None,
) -> list[Outcome]:
    """Runs them in order, `n_jobs` at a time, and reports each that ends. An interrupt ends all running jobs."""
    starved = [job.number for job in jobs if pool.gpus and job.gpus > len(pool.gpus)]
    if starved:
        raise ConfigError(
            "hydra.launcher.gpus",
            f"{len(pool.gpus)} GPUs found → enough for job #{starved[0]} expected",
            "List more GPUs",
        )
    waiting = deque((job, 1) for job in jobs)
    running: list[_Running] = []
    free = list(pool.gpus)
    found: dict[int, Outcome] = {}

    def settle(outcome: Outcome) -> None:
        found[outcome.job.number] = outcome
        _record(outcome)
        ended(outcome)

    try:
        while waiting or running:
            while waiting and len(running) < pool.n_jobs and (not pool.gpus or len(free) >= waiting[0][0].gpus):
                job, attempt = waiting.popleft()
                own, rest = tuple(free[: job.gpus]), free[job.gpus :]
                try:
                    running.append(_start(job, own, pool, attempt, program, starter))
                    free = rest
                except EnvironmentFault as fault:  # of this job; the others may fare better
                    settle(Outcome(job, "failed", fault.exit_code, 0.0, attempt, {}, str(fault)))
            for one in list(running):
                outcome = _outcome(one, pool, hopeless)
                if outcome is None:
                    continue
                running.remove(one)
                free += one.gpus
                if outcome.code not in NOT_RETRIED and one.attempt <= pool.retries:
                    waiting.append((one.job, one.attempt + 1))
                    continue
                settle(outcome)
            time.sleep(0.05)
    finally:
        for one in running:
            one.handle.stop()
    return [found[job.number] for job in jobs]


def _start(
    job: Job, gpus: tuple[int, ...], pool: Pool, attempt: int, program: Sequence[str], starter: Starter
) -> _Running:
    job.folder.mkdir(parents=True, exist_ok=True)
    for name in (JOB, RESULT, REPORTS, *([LOG] if attempt == 1 else [])):
        (job.folder / name).unlink(missing_ok=True)
    extra = {"GLIOMA_OS_JOB": str(job.folder.resolve()), "OMP_NUM_THREADS": str(pool.threads())}
    if pool.gpus:
        extra["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, gpus))
    handle = starter([*program, *job.overrides], job.folder / LOG, extra, job.gpus)
    return _Running(job, handle, gpus, time.monotonic(), attempt)


def _outcome(one: _Running, pool: Pool, hopeless: Hopeless | None) -> Outcome | None:
    """None while it runs."""
    seconds = time.monotonic() - one.began
    code = one.handle.poll()
    if code is None:
        if hopeless is not None and hopeless(one.job.number, reports_of(one.job.folder)):
            one.handle.stop()
            return Outcome(
                one.job, "pruned", 0, seconds, one.attempt, {}, "its reported objectives are below the median"
            )
        if pool.time_limit_s is None or seconds < pool.time_limit_s:
            return None
        one.handle.stop()
        said = f"stopped after {pool.time_limit_s:g} s | {_last_words(one.job.folder / LOG)}"
        return Outcome(one.job, "out of time", 1, seconds, one.attempt, {}, said)
    one.handle.stop()  # what it may have left behind
    try:
        result = json.loads((one.job.folder / RESULT).read_text())
    except (OSError, ValueError):
        code, result = code or 1, {}
    if code:
        reasons = [_by_signal(code), one.handle.reason, _last_words(one.job.folder / LOG)]
        return Outcome(one.job, "failed", code, seconds, one.attempt, {}, " | ".join(filter(None, reasons)))
    return Outcome(one.job, "done", 0, seconds, one.attempt, result)


def reports_of(folder: Path) -> list[float]:
    """The objectives a running job has reported so far."""
    path = folder / REPORTS
    return [float(line) for line in path.read_text().splitlines()] if path.exists() else []


def _by_signal(code: int) -> str:
    """What ended a process from outside; nothing where it ended by itself."""
    if code >= 0:
        return ""
    name = next((one.name for one in signal.Signals if one == -code), f"signal {-code}")
    return f"ended by {name}" + (", possibly out of memory" if name == "SIGKILL" else "")


def _last_words(log: Path) -> str:
    text = log.read_text(errors="replace") if log.exists() else ""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("Error executing job")]
    return " | ".join(lines[-LAST_LINES:]) or "its log is empty"


def _record(outcome: Outcome) -> None:
    record = asdict(outcome)
    record.pop("result")
    atomic_write(outcome.job.folder / JOB, json.dumps(record, indent=1, default=str).encode())
