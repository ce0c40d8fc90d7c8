"""stage=study: the whole line for every setting, and one report. A finished study says so and does nothing."""

from __future__ import annotations

import time

from hydra import compose
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from glioma_os.errors import ConfigError
from glioma_os.stages.build import plain
from glioma_os.stages.setting import Setting
from glioma_os.training.progress import say
from glioma_os.training.run import Run

RECIPE = 1  # raise when a change alters what a study does


def settings_of(cfg: DictConfig) -> list[Setting]:
    """One Setting for every entry of `settings`: the command line's configuration with that entry's overrides."""
    named = plain(cfg.settings)
    if not named:
        return [Setting(cfg, cfg.setting)]
    own = list(HydraConfig.get().overrides.task)
    out = []
    for name, overrides in named.items():
        if not isinstance(overrides, list):
            raise ConfigError(f"settings.{name}", f"{overrides!r} found → a list of overrides", "Write [key=value, …]")
        out.append(Setting(compose("config", overrides=[*own, *overrides]), name))
    return out


def study_run(cfg: DictConfig, settings: list[Setting]) -> Run:
    """The study's own run: keyed by its configuration and by its cohorts' files, without reading a voxel."""
    own = plain(cfg)
    for name in ("stage", "paths", "logger"):
        own.pop(name, None)
    prints = {}
    for setting in settings:
        cohorts = ["cohort"]
        if setting.cfg.features.kind == "latents":
            cohorts += ["pretraining.cohort"] * (setting.cfg.pretraining["from"] == "cohort")
            cohorts += ["finetuning.cohort"] * (setting.cfg.finetuning["from"] == "cohort")
        prints[setting.name] = {key: setting.cohort(key).fingerprint() for key in cohorts}
    key = {"recipe": RECIPE, "config": own, "cohorts": prints}
    return settings[0].run("study", key)


def main(cfg: DictConfig) -> None:
    """Walks cohort → store → segmenter → latents → survival for every setting, then writes the report."""
    start = time.monotonic()
    settings = settings_of(cfg)
    run = study_run(cfg, settings)
    if run.done:
        say("This study is done; nothing to do.")
        print(run.path("report.html"))
        return
    from glioma_os.stages.report import build_report
    from glioma_os.stages.survival import read_scores, say_scores, survive

    for setting in settings:
        setting.check()
    with run.writing() as todo:
        if todo:
            done = {}
            for setting in settings:
                say(f"── {setting.name}: {setting.cohort().name}, {', '.join(setting.channels)}")
                done[setting.name] = survive(setting)
            for setting in settings:
                scores = [s for s in read_scores(done[setting.name]) if s.metric in ("auc", "c_index")]
                say_scores(scores, f"{setting.name}, out of fold, 95 % patient bootstrap")
            build_report(cfg, settings, done, run)
            run.write_json("runs.json", {name: str(found.folder) for name, found in done.items()})
    say(f"Study done in {time.monotonic() - start:.0f} s")
    print(run.path("report.html"))
