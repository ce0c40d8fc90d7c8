"""The 24 jobs of `sweep=transfer_demo`, whose stages can also be done one after the other in a process."""

import contextlib
import io
import itertools


def words(folder, name, *own):
    """The command line of the sweep, or of a job of it; with runs and store of one arm's own, empty at first."""
    return ["sweep=transfer_demo", *own, f"paths.runs={folder}/{name}/runs", f"paths.store={folder}/{name}/store"]


def distinct_stages(folder):
    """What the jobs come to without waiting, starting or asking what is done: every stage once, on all processors."""
    from hydra import compose, initialize_config_dir
    from hydra.core.override_parser.overrides_parser import OverridesParser

    from glioma_os.__main__ import config_folder
    from glioma_os.stages.assemble import run_stage
    from glioma_os.training.progress import console

    def arm():
        console.quiet = True
        with initialize_config_dir(str(config_folder()), version_base="1.3"):
            asked = compose("config", words(folder, "stages"), return_hydra_config=True).hydra.sweeper.params
            factors = OverridesParser.create().parse_overrides([f"{name}={values}" for name, values in asked.items()])
            levels = [[f"{one.key_or_group}={value}" for value in one.sweep_string_iterator()] for one in factors]
            for own in itertools.product(*levels):
                with contextlib.redirect_stdout(io.StringIO()):
                    run_stage(compose("config", words(folder, "stages", *own)))

    return arm
