"""Pre-training and fine-tuning: each fit a run keyed by its data, network, schedule and parent."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from glioma_os.cohorts.splits import share_of_patients
from glioma_os.errors import ConfigError
from glioma_os.stages import recipes
from glioma_os.stages.build import build, plain
from glioma_os.stages.publishing import publish_fit
from glioma_os.stages.segmenter import Segmenter
from glioma_os.stages.setting import Setting
from glioma_os.stages.training import FitPlan, train
from glioma_os.training.progress import say
from glioma_os.training.run import WEIGHTS, Run


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
    run = setting.run("pretrain", {"recipe": recipes.FIT, "md5": md5, "network": plain(setting.cfg.network)})
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
    held = tuple(sorted(patients[place] for place in order[: int(setting.cfg.pretraining.holdout)]))
    if len(held) >= len(patients):
        raise ConfigError("pretraining.holdout", f"{len(held)} of {len(patients)} patients found → fewer", "Lower it")
    train = tuple(patient for patient in patients if patient not in set(held))
    title = f"Pre-training on {cohort.name}"
    return _fit(setting, FitPlan("pretrain", "pretraining", "pretraining.cohort", channels, train, held, title), None)


def finetune(
    setting: Setting, parent: Segmenter | None, cohort: str, train: list[str], held: list[str], title: str
) -> Segmenter:
    """`parent`'s weights fine-tuned on labelled `train` patients of the cohort at that key, scored on `held` ones.

    Of `train`, `finetuning.fraction` is used: smaller fractions are parts of larger ones, whatever the fold.
    """
    used = share_of_patients(train, float(setting.cfg.finetuning.fraction), int(setting.cfg.seed))
    plan = FitPlan("finetune", "finetuning", cohort, setting.channels, used, tuple(held), title)
    return Segmenter(_fit(setting, plan, parent), setting.channels, setting.channels)


def _fit(setting: Setting, plan: FitPlan, parent: Segmenter | None) -> Run:
    cohort, schedule = setting.cohort(plan.cohort), plan.schedule_of(setting)
    data = setting.prepared(cohort, plan.channels)
    keys = {patient_set: [v.key for v in data.volumes(frozenset(ids))] for patient_set, ids in
            (("train", plan.train), ("held", plan.held))}  # fmt: skip
    key = {
        "recipe": recipes.FIT, "network": plain(setting.cfg.network), "schedule": plain(schedule),
        "channels": plan.channels,
        "transfer": plain(setting.cfg.transfer) if parent else None, "parent": parent.run.id if parent else None,
        "volumes": keys, "precision": setting.options.resolved_precision(), "devices": setting.options.devices,
        "accumulate": setting.options.accumulate,
    }  # fmt: skip
    run = setting.run(plan.stage, key)
    with run.writing() as todo:
        if todo:
            train(setting, plan, parent, run)
            trained = dict(parent.patients) if parent and setting.policy.uses_pretrained else {}
            trained[cohort.name] = sorted({*trained.get(cohort.name, []), *plan.train})
            run.write_json("patients.json", trained)
            if plan.held:
                from glioma_os.stages.scoring import score_segmenter

                score_segmenter(setting, Segmenter(run, plan.channels, plan.channels), data, list(plan.held))
        publish_fit(setting, run, parent.run if parent else None, fresh=todo)
    return run
