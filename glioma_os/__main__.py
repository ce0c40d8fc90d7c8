"""`glioma-os`: compose the configuration, run the stage it names, turn errors into one sentence and an exit code."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

from glioma_os import NOTICE, __version__
from glioma_os.config.renamed import rename_word
from glioma_os.errors import INTERRUPTED, TERMINATED, ConfigError, EnvironmentFault, GliomaError, printable

STAGES = {
    "verify": "list every finding of a cohort at once",
    "prepare": "fill the store: one orientation, brain box, exact z-scores",
    "segment": "pre-train and fine-tune the segmenter, score it, write its masks",
    "latents": "one feature vector a case from the segmenter's encoder",
    "survival": "predict survival from clinical variables and features, with intervals",
    "validate": "fit on train=…, predict test=… once, shared patients excluded; train=[a,b,…] holds out each",
    "apply": "predict a cohort with a stored pipeline=FOLDER, outcomes not needed",
    "permutation_test": "label-permutation and noise-feature control: does it score where nothing can be predicted?",
    "audit": "patients twice in a cohort, and those it shares with other=…",
    "sync": "list the dashboard runs recorded offline; sync.send=true sends them",
    "report": "one HTML page from the runs of a study",
    "collect": "one table and one page from the jobs of a sweep, or from any runs=…",
    "study": "all of it, end to end (default)",
}


def config_folder() -> Path:
    """`conf/` as installed in the wheel, or beside the package in a checkout."""
    inside = Path(__file__).resolve().parent / "conf"
    return inside if inside.is_dir() else inside.parents[1] / "conf"


def usage() -> str:
    """The help text: stages, groups and their options as they are on disk, without importing anything heavy."""
    folder = config_folder()
    groups = {
        group.name: sorted(option.stem for option in group.glob("*.yaml"))
        for group in sorted(folder.iterdir())
        if group.is_dir() and group.name not in ("stage", "paths", "hydra")
    }
    width = max(map(len, [*groups, *STAGES]))
    return "\n".join(
        [
            f"glioma-os {__version__}: overall survival in glioma from MRI.",
            "",
            "  glioma-os stage=STAGE group=option key=value …       run one stage",
            "  glioma-os -m group=option,option key=value,value …   sweep over choices",
            "",
            "Stages",
            *(f"  {name:<{width + 2}}{text}" for name, text in STAGES.items()),
            "",
            "Groups and their options",
            *(f"  {name:<{width + 2}}{', '.join(options)}" for name, options in groups.items()),
            "",
            "Try",
            "  glioma-os stage=study experiment=demo                  whole study on a synthetic cohort",
            "  glioma-os stage=verify cohort=brats cohort.root=FOLDER  what is wrong with my data?",
            "  glioma-os stage=audit cohort=brats_table cohort.table=CSV other=upenn other.table=CSV",
            "  glioma-os stage=validate train=brats_table train.table=CSV test=upenn test.table=CSV",
            "  glioma-os stage=validate train=[brats_table,upenn,ucsf] train.brats_table.table=CSV  each held out once",
            "  glioma-os -m sweep=transfer_demo                       24 jobs; what they share is trained once",
            "  glioma-os stage=collect runs=transfer_demo             what each factor of a sweep does",
            "  glioma-os --cfg job experiment=demo                    the whole configuration",
            "",
            NOTICE,
        ]
    )


def spelled_out(arguments: list[str]) -> list[str]:
    """The words for cohorts in Hydra's: `train` is the cohort, `test` and `other` the second one; `train=[a,b]` names
    several, each held out once, whose keys are then `train.a.table=…`."""
    several = next((word[len("train=[") : -1] for word in arguments if re.fullmatch(r"train=\[.*\]", word)), None)
    names = [name.strip() for name in several.split(",")] if several else []
    renamed = [rename_word(argument) for argument in arguments]
    return [word for argument in renamed for word in _in_hydras_words(argument, names)]


def _in_hydras_words(argument: str, several: list[str]) -> list[str]:
    if argument == "settings={}":  # Hydra merges an empty mapping into a preset's, which changes nothing
        return ["settings=null"]
    name, sign, value = argument.partition("=")
    first, dot, rest = name.partition(".")
    if first == "train" and several:
        return [f"cohorts.{rest}{sign}{value}"] if dot else [f"+cohort@cohorts.{own}={own}" for own in several]
    if first == "train":
        return [f"cohort{dot}{rest}{sign}{value}"]
    if first in ("test", "other"):
        return [f"other{dot}{rest}{sign}{value}" if dot else f"cohort@other{sign}{value}"]
    return [argument]


def main() -> None:
    """The console script. A reader of its output that leaves early, as `head` does, ends nothing."""
    try:
        code = _run()
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code)


def _run() -> int:
    multirun = ("-m", "--multirun")  # first of all, since Hydra takes them in no place between two overrides
    arguments = spelled_out(sorted(sys.argv[1:], key=lambda word: word not in multirun))
    sys.argv[1:] = arguments
    if any(word in ("-h", "--help", "help") for word in arguments):
        print(usage())
        return 0
    if "--version" in arguments:
        print(__version__)
        return 0
    rerun = next((word for word in arguments if word.startswith("--experimental-rerun")), None)
    if rerun is not None:
        _complain(f"ConfigError: {rerun}: a pickled configuration found → key=value expected. Pickles can run any code")
        return ConfigError.exit_code
    return _exit_code(lambda: _compose_and_run(), multirun=any(word in multirun for word in arguments))


def _compose_and_run() -> None:
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors reach us instead of being printed and lost
    import hydra
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import DictConfig

    from glioma_os.config.guards import guard_configuration
    from glioma_os.stages.assemble import check_options, command_words, run_stage
    from glioma_os.training.processes import die_with_parent, exit_on_signals

    failures: list[Exception] = []

    @hydra.main(version_base="1.3", config_path=str(config_folder()), config_name="config")
    def app(cfg: DictConfig) -> None:
        try:
            job(cfg)
        except Exception as error:
            failures.append(error)  # raised again below: Hydra would print the whole command line before it

    def job(cfg: DictConfig) -> None:
        if cfg.paths.job:
            die_with_parent()
        check_options(cfg)
        runs = run_stage(cfg)
        if cfg.paths.job:
            from glioma_os.stages.job import leave_result

            leave_result(cfg, command_words(HydraConfig.get().overrides.task), runs)

    exit_on_signals()
    guard_configuration()
    app()
    if failures:
        raise failures[0]


def _exit_code(run: Callable[[], None], multirun: bool) -> int:
    try:
        run()
        return 0
    except KeyboardInterrupt:
        _complain("Interrupted. Run the same command again to go on.")
        return INTERRUPTED
    except SystemExit as stop:
        # Lightning turns SIGTERM into exit code 0, though the fit never returned.
        if stop.code == TERMINATED or type(stop).__name__ == "SIGTERMException":
            _complain("Terminated. Run the same command again to go on.")
            return TERMINATED
        return int(stop.code or 0)
    except GliomaError as error:
        _complain(f"{type(error).__name__}: {error}")
        before_any_job = isinstance(error, ConfigError)  # what a job fails by is a TrainingError here
        return 1 if multirun and not before_any_job else error.exit_code
    except MemoryError:
        _complain("EnvironmentFault: memory: not enough found. Lower schedule.patch or schedule.batch_size")
        return EnvironmentFault.exit_code
    except Exception as error:
        return _exit_of_foreign(error)


def _exit_of_foreign(error: Exception) -> int:
    """Hydra's complaints about the command line, and the file system's about itself; anything else is a bug."""
    import errno

    import yaml
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, GliomaError):
        cause = cause.__cause__ or cause.__context__
    if cause is not None and isinstance(error, HydraException | OmegaConfBaseException):
        _complain(f"{type(cause).__name__}: {cause}")
        return cause.exit_code
    if isinstance(error, yaml.YAMLError):
        mark = getattr(error, "problem_mark", None)
        where = f"{mark.name}, line {mark.line + 1}" if mark else getattr(error, "name", "configuration")
        reason = " ".join(str(getattr(error, "problem", None) or getattr(error, "reason", "unreadable")).split())
        _complain(f"ConfigError: {where}: {reason} found → YAML expected. Correct the file")
        return ConfigError.exit_code
    of_group = isinstance(error, ValueError) and str(error).startswith("Config group override")
    if of_group or isinstance(error, HydraException | OmegaConfBaseException):
        _complain(f"ConfigError: {_of_hydra(error)}")
        return ConfigError.exit_code
    full = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EMFILE)
    if isinstance(error, OSError) and error.errno in full:
        _complain(f"EnvironmentFault: {error.filename or 'file system'}: {error.strerror}. Free it or choose another")
        return EnvironmentFault.exit_code
    raise error


def _of_hydra(error: Exception) -> str:
    """One sentence: what was found, what is near it or what there is to choose from."""
    text = f"{error} {error.__cause__ or ''}"
    several = re.search(r"Ambiguous value for argument '(.*)'", text)
    word = several[1] if several else getattr(error, "override", None)
    if word:
        return _how_to_quote(str(word), several is not None)
    option = re.search(r"Could not find '([^']+)'", text)
    if option:
        group, _, name = option[1].rpartition("/")
        return f"{group}: {name!r} found → {_near(name, _options(group))}. glioma-os --help lists the options"
    key = re.search(r"Key '([^']+)' is not in struct|Could not override '([^']+)'", text)
    if key:
        name = (key[1] or key[2]).rpartition(".")[2]
        where = re.search(r"(?:full_key: |Could not override ')([\w.@/]+)", text)
        whole = where[1] if where else name
        if (config_folder() / whole).is_dir():
            return f"{whole}: none found → one of {', '.join(sorted(_options(whole)))} expected. Choose one"
        known = {path.parent.name for path in config_folder().rglob("*.yaml")} | _keys_of_conf()
        near = "none of that name there" if name in known else _near(name, known)
        return f"{whole}: no such key found → {near}. --cfg job shows every key"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return f"{'; '.join(lines[:2])}. --cfg job shows every key"


def _how_to_quote(word: str, several: bool) -> str:
    """A word of the command line that Hydra cannot read, and the same word as it can."""
    import shlex

    key, sign, value = word.partition("=")
    if not sign or not key:
        return f"{word!r} found → key=value expected. glioma-os --help shows the form"
    bare = value.strip("\"'").replace('"', '\\"')
    quoted = shlex.quote(f'{key}="{bare}"')
    if several:
        return (
            f"{key}: {value!r} found → one value expected. Add -m to run each of them, or write {quoted}, single "
            "quotes included, for one text with commas"
        )
    return (
        f"{key}: {value!r} found → text in double quotes expected, since it holds a bracket, quote, equals sign or "
        f"other character that has a meaning of its own here. Write {quoted}, single quotes included"
    )


def _options(group: str) -> set[str]:
    return {path.stem for path in (config_folder() / group).glob("*.yaml")}


def _near(word: str, known: set[str]) -> str:
    import difflib

    near = difflib.get_close_matches(word, known, 1)
    return f"did you mean {near[0]!r}?" if near else f"one of {', '.join(sorted(known)[:20])} expected"


def _keys_of_conf() -> set[str]:
    import yaml

    def names(node: object) -> set[str]:
        if isinstance(node, dict):
            return {str(key) for key in node} | {name for value in node.values() for name in names(value)}
        return set()

    return {name for path in config_folder().rglob("*.yaml") for name in names(yaml.safe_load(path.read_text()))}


def _complain(text: str) -> None:
    print(f"\n{printable(text)}", file=sys.stderr)


if __name__ == "__main__":
    main()
