"""Arms of a comparison in turn, each in a process of its own: none inherits another's memory or threads."""

import multiprocessing
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Arm:
    """`prepare(*arguments)` gives what is timed; a call of it does `units` pieces of the work compared."""

    prepare: Callable
    arguments: tuple = ()
    units: float = 1


@dataclass(frozen=True)
class Measured:
    """Median milliseconds a unit, and megabytes that preparing and working added to the process's own memory."""

    ms: float
    own_mb: float


def _own_mb():
    """Memory of this process alone: pages of mapped files are the system's cache and can be given up any time."""
    with open("/proc/self/status") as status:
        return sum(int(line.split()[1]) / 1024 for line in status if line.startswith(("RssAnon", "RssShmem")))


def _serve(pipe, arm):
    import warnings

    warnings.simplefilter("ignore")
    before, most = _own_mb(), 0.0
    work = arm.prepare(*arm.arguments)
    pipe.send("ready")
    while pipe.recv() == "go":
        start = time.perf_counter()
        work()
        seconds = time.perf_counter() - start
        most = max(most, _own_mb() - before)
        pipe.send((seconds, most))


def in_turn(arms, rounds):
    """Name → Arm to name → Measured, taken in turn after one warm-up; with no rounds that is what counts."""
    context = multiprocessing.get_context("spawn")
    pipes, processes, times, memory = {}, [], {name: [] for name in arms}, {}
    try:
        for name, arm in arms.items():
            pipes[name], other = context.Pipe()
            processes.append(context.Process(target=_serve, args=(other, arm)))
            processes[-1].start()
            other.close()
            assert pipes[name].recv() == "ready"
        for lap in range(rounds + 1):
            for name, pipe in pipes.items():
                pipe.send("go")
                seconds, memory[name] = pipe.recv()
                if lap or not rounds:
                    times[name].append(seconds)
        for pipe in pipes.values():
            pipe.send("end")
    except BaseException:  # the others would wait for their turn for ever
        for process in processes:
            process.terminate()
        raise
    finally:
        for process in processes:
            process.join()
    return {name: Measured(1e3 * statistics.median(times[name]) / arms[name].units, memory[name]) for name in arms}
