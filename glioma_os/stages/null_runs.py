"""stage=null_runs: the validation where nothing can be predicted. A pipeline that still scores leaks: exit code 4."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from omegaconf import DictConfig

from glioma_os.errors import IntegrityError
from glioma_os.fusion.null import noise_like, null_scores, permuted
from glioma_os.fusion.results import ValidationResult
from glioma_os.fusion.rows import Rows
from glioma_os.reporting.result_files import csv_bytes
from glioma_os.stages.build import plain
from glioma_os.stages.setting import Setting
from glioma_os.stages.survival import features_of, validated, validation_key
from glioma_os.training.progress import say, track
from glioma_os.training.run import Run
from glioma_os.volumes.atomic import atomic_write


def null_run(setting: Setting) -> Run:
    """null.csv: every configuration's mean, highest and p over the null runs, beside what it scores in truth."""
    features, source = features_of(setting)
    options = plain(setting.cfg.null_runs)
    run = setting.run("null_runs", {"null_runs": options, **validation_key(setting, source)})
    with run.writing() as todo:
        if todo:
            rows = Rows.from_cases(setting.survivors[0])

            def validate(number: int) -> ValidationResult:
                if options["kind"] == "labels":
                    return validated(setting, permuted(rows, number), features)
                drawn = features and (lambda repeat, fold: noise_like(features(repeat, fold), number))
                return validated(setting, rows, drawn)

            bar = track(range(int(options["runs"])), int(options["runs"]), f"Null runs, {options['kind']}")
            scores = null_scores(validate, bar, options["kind"], validated(setting, rows, features))
            fields: list[Any] = list(asdict(scores[0])) if scores else []
            atomic_write(run.path("null.csv"), csv_bytes(fields, [list(asdict(score).values()) for score in scores]))
            run.write_json("null.json", {"scores": [asdict(score) for score in scores]})
    return run


def main(cfg: DictConfig) -> None:
    """Prints the table; a leak is an IntegrityError."""
    setting = Setting(cfg, cfg.setting)
    setting.check()
    run = null_run(setting)
    scores = run.read_json("null.json")["scores"]
    for s in scores:
        say(f"  {s['head']:<16}{s['block']:<11}null mean {s['mean']:.3f}, highest {s['highest']:.3f} of {s['runs']}; "
            f"in truth {s['observed']:.3f}, p = {s['p']:.3f}")  # fmt: skip
    say(f"{run.path('null.csv')}")
    leaking = [s for s in scores if s["leaks"]]
    if leaking:
        raise IntegrityError(
            f"{leaking[0]['head']} on {leaking[0]['block']}",
            f"mean {leaking[0]['mean']:.3f} where nothing can be predicted → 0.5 expected",
            "Something is learnt from test rows: look for selection or scaling before the folds",
        )
