"""The 24 jobs of `sweep=transfer_demo`: as a sweep runs them, and one after the other in a process that never ends."""

import contextlib
import io
import itertools
import subprocess
import sys

SWEEP = "sweep=transfer_demo"


def _places(folder, name):
    """Runs and store of one arm's own, empty at first."""
    return [f"paths.runs={folder}/{name}/runs", f"paths.store={folder}/{name}/store"]


def sweep(folder):
    """Two jobs at a time, each a process tree of its own; what they share is done once."""
    command = [sys.executable, "-m", "glioma_os", "-m", SWEEP, *_places(folder, "sweep")]
    return lambda: subprocess.run(command, check=True, capture_output=True)


def distinct_stages(folder):
    """What the jobs come to without waiting, starting or asking what is done: every stage once, on all processors."""
    from hydra import compose, initialize_config_dir
    from hydra.core.override_parser.overrides_parser import OverridesParser

    from glioma_os.__main__ import config_folder
    from glioma_os.stages.build import run_stage

    def arm():
        with initialize_config_dir(str(config_folder()), version_base="1.3"):
            asked = compose("config", [SWEEP], return_hydra_config=True).hydra.sweeper.params
            factors = OverridesParser.create().parse_overrides([f"{name}={values}" for name, values in asked.items()])
            levels = [[f"{one.key_or_group}={value}" for value in one.sweep_string_iterator()] for one in factors]
            for own in itertools.product(*levels):
                with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                    run_stage(compose("config", [SWEEP, *own, *_places(folder, "stages")]))

    return arm
