"""stage=segment: pre-train, fine-tune fold by fold under the leak policy, score on the held-out patients."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from glioma_os.errors import ConfigError
from glioma_os.reporting.result_files import dice_summary, mean_dice, read_dice
from glioma_os.stages.fitting import finetune, pretrain
from glioma_os.stages.segmenter import Segmenter
from glioma_os.stages.setting import Setting
from glioma_os.sweeps.jobs import REPORTS
from glioma_os.training.progress import say
from glioma_os.volumes.manifest import results

ALL = "all patients"


def fold_title(repeat: int, fold: int) -> str:
    """How a fold is called in titles and as a key."""
    return f"repeat {repeat + 1} fold {fold + 1}"


def segmenters(setting: Setting) -> dict[str, Segmenter]:
    """Title → segmenter: one a fold if fine-tuned on the survival cohort under `strict`, else one for everyone."""
    policy = setting.cfg.validation.leak_policy
    parent = pretrain(setting)
    on = setting.cfg.finetuning["from"]
    if on == "none":
        if parent is None:
            raise ConfigError(
                "finetuning.from", "none found, and pretraining.from=none → one of them", "Train something"
            )
        return {ALL: parent}
    if on == "cohort":
        cohort = setting.cohort("finetuning.cohort")
        everyone = sorted({case.patient_id for case in cohort.cases() if case.label is not None})
        title = f"Fine-tuning on all of {cohort.name}"
        return {ALL: finetune(setting, parent, "finetuning.cohort", everyone, [], title)}
    if on != "own":
        raise ConfigError("finetuning.from", f"{on!r} found → own, cohort or none expected", "Correct the key")
    return _own_folds(setting, parent, policy)


def _own_folds(setting: Setting, parent: Segmenter | None, policy: str) -> dict[str, Segmenter]:
    cohort, folds = setting.cohort(), setting.folds
    labelled = {case.patient_id for case in cohort.cases() if case.label is not None}
    if policy != "strict":
        return {ALL: finetune(setting, parent, "cohort", sorted(labelled), [], "Fine-tuning on everyone (paper-like)")}
    out = {}
    for repeat in range(folds.repeats):
        for fold in range(folds.n_folds):
            held = set(folds.test(repeat, fold))
            title = fold_title(repeat, fold)
            out[title] = finetune(
                setting, parent, "cohort", sorted(labelled - held), sorted(labelled & held),
                f"Fine-tuning {setting.name}, {title}",
            )  # fmt: skip
            report(setting.cfg, dice_rows(out[title]))
    return out


def report(cfg: DictConfig, rows: list[dict[str, str]]) -> None:
    """Tells a search what a fold came to: the mean Dice of its held-out cases."""
    if cfg.paths.job and rows:
        with (Path(cfg.paths.job) / REPORTS).open("a") as file:
            file.write(f"{mean_dice(rows):.6f}\n")


def dice_rows(segmenter: Segmenter) -> list[dict[str, str]]:
    """The rows of its dice.csv, or none if nothing was held out."""
    return read_dice(segmenter.run.folder)


def say_dice(title: str, segmenter_list: list[Segmenter], seed: int) -> None:
    """One line: mean Dice per region with interval and n."""
    rows = [row for segmenter in segmenter_list for row in dice_rows(segmenter)]
    if rows:
        parts = [
            f"{region.upper()} {mean:.3f} [{low:.3f}, {high:.3f}]"
            for region, (mean, low, high, _) in dice_summary(rows, seed).items()
        ]
        say(f"Dice {title}, n = {len(rows)} held-out cases: {', '.join(parts)}")


def main(cfg: DictConfig) -> dict[str, Path]:
    """Trains what is not trained yet, prints Dice, and writes masks if `segment.write_predictions`."""
    from glioma_os.stages.scoring import write_masks

    setting = Setting(cfg, cfg.setting)
    setting.check()
    parent = pretrain(setting)
    if parent is not None:
        say_dice("after pre-training", [parent], int(cfg.seed))
    found = segmenters(setting)
    say_dice("after fine-tuning", [s for s in found.values() if parent is None or s.run != parent.run], int(cfg.seed))
    for title, segmenter in found.items():
        say(f"Segmenter {title}: {segmenter.run.folder}")
        if cfg.segment.write_predictions:
            data = setting.prepared(setting.cohort(), segmenter.channels)
            count = write_masks(setting, segmenter, data, segmenter.run.path("masks"))
            segmenter.run.amend(name for name in results(segmenter.run.folder) if name.startswith("masks/"))
            say(f"{count} masks in {segmenter.run.path('masks')}")
    return {title: segmenter.run.folder for title, segmenter in found.items()}
