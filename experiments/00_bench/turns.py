"""Arms of a comparison in turn, each in a process of its own: none inherits another's memory or threads."""

import multiprocessing
import statistics
import time


def _serve(pipe, prepare, arguments):
    import warnings

    warnings.simplefilter("ignore")
    arm = prepare(*arguments)
    pipe.send("ready")
    while pipe.recv() == "go":
        start = time.perf_counter()
        arm()
        pipe.send(time.perf_counter() - start)


def in_turn(arms, rounds):
    """Median seconds of each arm, taken in turn after one warm-up.

    `arms`: name → (function that prepares and returns what is timed, its arguments).
    """
    context = multiprocessing.get_context("spawn")
    pipes, processes, times = {}, [], {name: [] for name in arms}
    for name, (prepare, arguments) in arms.items():
        pipes[name], other = context.Pipe()
        processes.append(context.Process(target=_serve, args=(other, prepare, arguments)))
        processes[-1].start()
        assert pipes[name].recv() == "ready"
    for lap in range(rounds + 1):
        for name, pipe in pipes.items():
            pipe.send("go")
            seconds = pipe.recv()
            if lap:
                times[name].append(seconds)
    for pipe in pipes.values():
        pipe.send("end")
    for process in processes:
        process.join()
    return {name: statistics.median(seconds) for name, seconds in times.items()}
