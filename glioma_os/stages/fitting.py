"""Pre-training and fine-tuning: each fit a run keyed by its data, network, schedule and parent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from glioma_os.cohorts.cohort import Cohort
from glioma_os.errors import ConfigError
from glioma_os.stages.build import build, plain
from glioma_os.stages.scoring import score_segmenter
from glioma_os.stages.segmenter import Segmenter
from glioma_os.stages.setting import Setting
from glioma_os.training.fit import WEIGHTS, fit_segmenter
from glioma_os.training.progress import say
from glioma_os.training.run import Run

RECIPE = 1  # raise when a change alters what a fit gives


def pretrain(setting: Setting) -> Segmenter | None:
    """The segmenter before it meets the survival cohort: trained here, or a user's own weights, or none."""
    source = setting.cfg.pretraining["from"]
    if source == "none":
        return None
    if source not in ("cohort", "weights"):
        raise ConfigError("pretraining.from", f"{source!r} found → cohort, weights or none expected", "Correct the key")
    channels = tuple(plain(setting.cfg.pretraining.channels))
    run = _import_weights(setting, channels) if source == "weights" else _pretrain_on_cohort(setting, channels)
    return Segmenter(run, channels, setting.channels)


def _import_weights(setting: Setting, channels: tuple[str, ...]) -> Run:
    """Checks a user's weights file against the network and takes it into a run."""
    from safetensors.torch import save

    from glioma_os.networks.weights import load_strict, md5_of, read_state_dict
    from glioma_os.volumes.atomic import atomic_write

    options = setting.cfg.pretraining
    if options.weights is None:
        raise ConfigError("pretraining.weights", "null found → the path of a state dict expected", "Name your model.pt")
    state = read_state_dict(options.weights, options.md5)
    md5 = md5_of(Path(options.weights))
    run = setting.run("pretrain", {"recipe": RECIPE, "md5": md5, "network": plain(setting.cfg.network)})
    with run.writing() as todo:
        if todo:
            count = load_strict(build(setting.cfg.network, "network", channels=len(channels)), state, options.weights)
            say(f"Weights with md5 {md5}: all {count} keys fit")
            atomic_write(run.path(WEIGHTS), save({name: tensor.contiguous() for name, tensor in state.items()}))
            run.write_json("patients.json", {})
    return run


def _pretrain_on_cohort(setting: Setting, channels: tuple[str, ...]) -> Run:
    cohort = setting.cohort("pretraining.cohort")
    patients = sorted({case.patient_id for case in cohort.cases() if case.label is not None})
    order = np.random.default_rng(int(setting.cfg.seed)).permutation(len(patients))
    held = sorted(patients[place] for place in order[: int(setting.cfg.pretraining.holdout)])
    if len(held) >= len(patients):
        raise ConfigError("pretraining.holdout", f"{len(held)} of {len(patients)} patients found → fewer", "Lower it")
    train = [patient for patient in patients if patient not in set(held)]
    schedule = setting.cfg.pretraining.schedule
    return _fit(setting, cohort, channels, schedule, None, train, held, f"Pre-training on {cohort.name}", "pretrain")


def finetune(
    setting: Setting, parent: Segmenter | None, cohort: Cohort, train: list[str], held: list[str], title: str
) -> Segmenter:
    """`parent`'s weights fine-tuned on the labelled `train` patients, scored on the labelled `held` ones."""
    schedule = setting.cfg.finetuning.schedule
    run = _fit(setting, cohort, setting.channels, schedule, parent, train, held, title, "finetune")
    return Segmenter(run, setting.channels, setting.channels)


def _fit(
    setting: Setting, cohort: Cohort, channels: tuple[str, ...], schedule: Any, parent: Segmenter | None,
    train: list[str], held: list[str], title: str, stage: str,
) -> Run:  # fmt: skip
    data = setting.data(cohort, channels, schedule, train_patients=train, test_patients=held)
    keys = {patient_set: [v.key for v in data.volumes(frozenset(ids))] for patient_set, ids in
            (("train", train), ("held", held))}  # fmt: skip
    key = {
        "recipe": RECIPE, "network": plain(setting.cfg.network), "schedule": plain(schedule), "channels": channels,
        "transfer": plain(setting.cfg.transfer) if parent else None, "parent": parent.run.id if parent else None,
        "volumes": keys, "precision": setting.options.resolved_precision(), "devices": setting.options.devices,
        "accumulate": setting.options.accumulate,
    }  # fmt: skip
    run = setting.run(stage, key)
    with run.writing() as todo:
        if todo:
            _train(setting, data, channels, schedule, parent, run, title)
            trained = dict(parent.patients) if parent and setting.policy.uses_pretrained else {}
            trained[cohort.name] = sorted({*trained.get(cohort.name, []), *train})
            run.write_json("patients.json", trained)
            if held:
                score_segmenter(setting, Segmenter(run, channels, channels), data, held)
    return run


def _train(
    setting: Setting,
    data: Any,
    channels: tuple[str, ...],
    schedule: Any,
    parent: Segmenter | None,
    run: Run,
    title: str,
) -> None:
    import torch

    from glioma_os.modules.segmenter import SegmenterModule
    from glioma_os.modules.transfer import TransferPolicy
    from glioma_os.training.provenance import provenance

    torch.manual_seed(int(setting.cfg.seed))
    policy = setting.policy if parent else TransferPolicy("full")
    if parent and policy.uses_pretrained:
        network = parent.network(setting).train()
    else:
        network = build(setting.cfg.network, "network", channels=len(channels))
    module = SegmenterModule(
        network, build(schedule.objective, "schedule.objective"), policy, lr=float(schedule.lr),
        weight_decay=float(schedule.weight_decay), warmup=float(schedule.warmup), seed=int(setting.cfg.seed),
    )  # fmt: skip
    run.write_json("groups.json", policy.table(module.groups))
    run.write_json("provenance.json", provenance())
    logger = {"kind": setting.cfg.logger.kind, "project": setting.cfg.logger.project, "name": run.id,
              "group": setting.cfg.name}  # fmt: skip
    fit_segmenter(module, data, run, setting.options, int(schedule.epochs), logger, title)
