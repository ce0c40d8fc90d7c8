"""stage=study: the whole line for every setting, and one report. A finished study says so and does nothing."""

from __future__ import annotations

import time
from pathlib import Path

from omegaconf import DictConfig

from glioma_os.errors import IntegrityError
from glioma_os.stages.publishing import publication_owed, publish_report
from glioma_os.stages.setting import Setting, settings_of, study_run
from glioma_os.training.progress import say
from glioma_os.training.run import Run, check_finished


def main(cfg: DictConfig) -> dict[str, Path]:
    """Walks cohort → store → segmenter → latents → survival for every setting, then writes the report."""
    start = time.monotonic()
    settings = settings_of(cfg)
    run = study_run(cfg, settings)
    if run.done:
        _check_parts(run)
        if publication_owed(settings[0]):
            _publish_again(settings, run)
        say("This study is done; nothing to do.")
        print(run.path("report.html"))
        return _folders(run)
    from glioma_os.reporting.result_files import SCORES, read_scores
    from glioma_os.stages.report import build_report
    from glioma_os.stages.survival import say_scores, survive

    for setting in settings:
        setting.check()
    with run.writing() as todo:
        if todo:
            done = {}
            for setting in settings:
                images = f", {', '.join(setting.channels)}" if setting.cfg.features.kind == "latents" else ""
                say(f"── {setting.name}: {setting.cohort().name}{images}")
                done[setting.name] = survive(setting)
            for setting in settings:
                scores = [s for s in read_scores(done[setting.name].path(SCORES)) if s.metric in ("auc", "c_index")]
                say_scores(scores, f"{setting.name}, out of fold, 95 % patient bootstrap")
            build_report(cfg, settings, done, run)
            publish_report(settings[0], run, done, fresh=True)
            run.write_json("runs.json", {name: str(found.folder) for name, found in done.items()})
    say(f"Study done in {time.monotonic() - start:.0f} s")
    print(run.path("report.html"))
    return _folders(run)


def _publish_again(settings: list[Setting], run: Run) -> None:
    from glioma_os.stages.survival import survive

    publish_report(settings[0], run, {setting.name: survive(setting) for setting in settings}, fresh=False)


def _check_parts(run: Run) -> None:
    """An IntegrityError where a run that the report was made from is gone or changed."""
    for folder in _folders(run).values():
        if check_finished(folder, run.whole) is None:
            raise IntegrityError(
                folder, "no finished run found → the one that this study's report was made from expected",
                f"Delete {run.folder} and run the same command again",
            )  # fmt: skip


def _folders(run: Run) -> dict[str, Path]:
    return {name: Path(folder) for name, folder in run.read_json("runs.json").items()} | {"study": run.folder}
