"""stage=null_runs: label-permutation and noise-feature control. A pipeline that scores on either leaks: exit code 5."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from omegaconf import DictConfig

from glioma_os.errors import ConfigError, IntegrityError
from glioma_os.fusion.folds import FeaturesOfFold
from glioma_os.fusion.null import NullKind, noise_like, null_scores, permuted, shuffled
from glioma_os.fusion.rows import Rows
from glioma_os.reporting.result_files import csv_bytes
from glioma_os.stages.build import plain
from glioma_os.stages.setting import Setting
from glioma_os.stages.survival import features_of, validated, validation_key
from glioma_os.training.progress import say, track
from glioma_os.training.run import Run
from glioma_os.volumes.atomic import atomic_write


def null_run(setting: Setting) -> Run:
    """null.csv: every configuration's mean, highest and p over the null runs, beside the observed score."""
    options = plain(setting.cfg.null_runs)
    if setting.cfg.features.kind == "none" and options["kind"] != "labels":
        raise ConfigError("null_runs.kind", f"{options['kind']} with features=none found → labels expected",
                          "Set null_runs.kind=labels, or choose features")  # fmt: skip
    features, source = features_of(setting)
    run = setting.run("null_runs", {"null_runs": options, **validation_key(setting, source)})
    with run.writing() as todo:
        if todo:
            rows = Rows.from_cases(setting.survivors[0])
            bar = track(range(int(options["runs"])), int(options["runs"]), f"Control runs, {options['kind']}")
            scores = null_scores(
                lambda number: validated(setting, *null_inputs(rows, features, options["kind"], number)),
                bar, options["kind"], validated(setting, rows, features),
            )  # fmt: skip
            fields: list[Any] = list(asdict(scores[0])) if scores else []
            atomic_write(run.path("null.csv"), csv_bytes(fields, [list(asdict(score).values()) for score in scores]))
            run.write_json("null.json", {"scores": [asdict(score) for score in scores]})
    return run


def null_inputs(
    rows: Rows, features: FeaturesOfFold | None, kind: NullKind, seed: int
) -> tuple[Rows, FeaturesOfFold | None]:
    """Rows with permuted labels, or features that are noise or another patient's."""
    if kind == "labels" or features is None:
        return permuted(rows, seed), features
    if kind == "noise":
        return rows, lambda repeat, fold: noise_like(features(repeat, fold), seed)
    return rows, lambda repeat, fold: shuffled(features(repeat, fold), rows.case_ids, seed)


def main(cfg: DictConfig) -> None:
    """Prints the table; a leak is an IntegrityError."""
    setting = Setting(cfg, cfg.setting)
    setting.check()
    run = null_run(setting)
    scores = run.read_json("null.json")["scores"]
    for s in scores:
        say(f"  {s['head']:<16}{s['block']:<11}null mean {s['mean']:.3f}, highest {s['highest']:.3f} of {s['runs']}; "
            f"observed {s['observed']:.3f}, p = {s['p']:.3f}")  # fmt: skip
    say(f"{run.path('null.csv')}")
    leaking = [s for s in scores if s["leaks"]]
    if leaking:
        raise IntegrityError(
            f"{leaking[0]['head']} on {leaking[0]['block']}",
            f"mean {leaking[0]['mean']:.3f} where nothing can be predicted → 0.5 expected",
            "Test patients influence the training: look for selection or scaling before the folds",
        )
