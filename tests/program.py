"""The program as its users run it, in a process of its own that need not import everything anew.

A fork server holds what the program imports; each call is a fork of it with its own folder, variables, standard output
and exit code. It saves some seconds a call and shares nothing between calls.
"""

import atexit
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired
from tempfile import TemporaryDirectory

HELD = ["pytest", "tests.program", "glioma_os.stages.report", "glioma_os.stages.study", "glioma_os.stages.survival",
        "glioma_os.stages.validate", "glioma_os.pipeline.rank", "xgboost"]  # fmt: skip
WIDTH = {"COLUMNS": "200"}  # of the terminal, which rich reads when it is imported

_server = multiprocessing.get_context("forkserver")
_server.set_forkserver_preload(HELD)


def run(folder, *arguments, timeout=280, **variables):
    """`glioma-os ARGUMENTS` in `folder`, with more environment `variables`: exit code and what it wrote."""
    environment = {**os.environ, **WIDTH, **variables}
    environment.pop("GLIOMA_OS_HOME", None)
    if "logger=wandb" in arguments:  # its service loses its records in a process that was forked
        command = [sys.executable, "-m", "glioma_os", *map(str, arguments)]
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=timeout)
    with TemporaryDirectory() as written:
        child = _server.Process(target=_main, args=([str(a) for a in arguments], str(folder), environment, written))
        _start(child)
        child.join(timeout)
        if child.exitcode is None:
            child.kill()
            child.join()
            raise TimeoutExpired(list(arguments), timeout)
        out, err = (Path(written, name).read_text() for name in ("out", "err"))
    return CompletedProcess(list(arguments), child.exitcode, out, err)


def _start(child):
    """The first start begins the server too, which keeps the variables of then."""
    before = os.environ.get("COLUMNS")
    os.environ.update(WIDTH)
    try:
        child.start()
    finally:
        os.environ.pop("COLUMNS") if before is None else os.environ.update(COLUMNS=before)


def _main(arguments, folder, environment, written):
    for name, stream in (("out", sys.stdout), ("err", sys.stderr)):
        handle = os.open(Path(written, name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(handle, stream.fileno())
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["glioma-os", *arguments]
    from glioma_os.__main__ import main

    try:
        main()
    finally:
        atexit._run_exitfuncs()  # a process of multiprocessing ends without them; wandb writes its records there
