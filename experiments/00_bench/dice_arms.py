"""The arms of time_to_dice.py: a recipe trained for a given time, and its snapshots judged."""

import math
import time
from pathlib import Path

import numpy as np
import torch

from glioma_os.cohorts.eligibility import labelled_patients

PACE = 1  # epochs
BUNDLE = (240, 240, 160)  # the bundle's evaluator: one window
FOREGROUND = None  # all that is not background in one window


def _planned(folder, *overrides):
    """The segmentation plan of the configuration, and its workspace in `folder`."""
    from hydra import compose, initialize_config_dir

    from glioma_os.__main__ import config_folder
    from glioma_os.stages.assemble import plan_of, workspace_of

    places = [f"paths.store={folder}/store", f"paths.runs={folder}/runs"]
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        cfg = compose("config", overrides=["experiment=real_mini", *places, *overrides])
        return plan_of(cfg), workspace_of(cfg)


def _patients(plan, workspace):
    """(trained on, scored), as stage=segment parts them."""
    patients = labelled_patients(workspace.cohort(plan.pretraining_cohort))
    order = np.random.default_rng(plan.seed).permutation(len(patients))
    held = [patients[place] for place in order[: plan.pretraining.holdout]]
    return sorted(set(patients) - set(held)), sorted(held)


def held_volumes(folder):
    """Stored volumes of the held-out patients on the scanner's grid, and the channels."""
    plan, workspace = _planned(folder, "prepare.spacing_mm=null")
    _, held = _patients(plan, workspace)
    data = workspace.prepared(workspace.cohort(plan.pretraining_cohort), plan.channels, plan.recipe.spacing_mm)
    return data.volumes(frozenset(held)), plan.channels


class _Snapshots:
    """State dicts of `network` by the second they were taken, one every `every` seconds until the budget is spent."""

    def __init__(self, network, budget, every, began):
        self.network, self.budget, self.every, self.began, self.taken = network, budget, every, began, {}

    def clock(self):
        return time.perf_counter() - self.began

    def take(self):
        now = self.clock()
        self.taken[now] = {name: tensor.detach().clone() for name, tensor in self.network.state_dict().items()}
        self.began += self.clock() - now  # copying is not training

    def up(self):
        """Takes one if it is time; whether all time is up."""
        now = self.clock()
        if now >= min((len(self.taken) + 1) * self.every, self.budget):
            self.take()
        return now >= self.budget


def ours(folder, budget, every):
    """stage=segment's own pre-training, of as many epochs as its pace on this machine fits into the budget."""
    began = time.perf_counter()
    plan, workspace = _planned(folder)
    cohort = workspace.cohort(plan.pretraining_cohort)
    workspace.prepared(cohort, plan.channels, plan.recipe.spacing_mm)
    learnt, held = _patients(plan, workspace)
    fit = plan.pretraining_fit
    data = plan.recipe.data.build(
        cohort=cohort, store=workspace.store, channels=plan.channels, seed=plan.seed, spacing_mm=plan.recipe.spacing_mm,
        patch=fit.schedule.patch, batch_size=fit.schedule.batch_size, augmentation=fit.augmentation.build(),
        train_patients=learnt, test_patients=held,
    )  # fmt: skip
    ready = time.perf_counter()
    _fit(plan, data, Path(folder) / "pace", PACE, None)
    pace = (time.perf_counter() - ready) / PACE
    began += time.perf_counter() - ready  # measuring it is no part of the race
    epochs = max(1, round((budget - (time.perf_counter() - began)) / pace))
    shots = _fit(plan, data, Path(folder) / "fit", epochs, (budget, every, began))
    if shots.clock() < budget:
        shots.take()
    return shots.taken, len(learnt) * epochs


def _fit(plan, data, folder, epochs, race):
    from lightning.pytorch.loggers.logger import DummyLogger

    from glioma_os.modules.segmenter import SegmenterModule
    from glioma_os.modules.transfer import Full
    from glioma_os.training.fit import fit_segmenter
    from glioma_os.training.run import Run

    schedule = plan.pretraining_fit.schedule
    torch.manual_seed(plan.seed)
    network = plan.recipe.network.build(channels=len(plan.channels))
    module = SegmenterModule(
        network, plan.pretraining_fit.objective.build(), Full(), lr=schedule.lr,
        weight_decay=schedule.weight_decay, warmup=schedule.warmup,
    )  # fmt: skip
    shots = race and _Snapshots(network, *race)

    class Clock(DummyLogger):
        """Told at the end of every epoch."""

        def log_metrics(self, metrics, step=None):
            module.trainer.should_stop = bool(shots and shots.up())

    fit_segmenter(module, data, Run(folder, "pretrain", "race", {}, 0), plan.recipe.trainer, epochs, [Clock()], "race")
    return shots


def reference(folder, budget, every, crop, rate=1e-4, cross_entropy=False):
    """The bundle's recipe in MONAI's own classes: cached cases, random crops, fp32, Adam, a cosine over the budget."""
    from monai.data import CacheDataset, DataLoader
    from monai.losses import DiceCELoss, DiceLoss
    from monai.transforms import (
        Compose,
        ConvertToMultiChannelBasedOnBratsClassesd,
        EnsureChannelFirstd,
        LoadImaged,
        NormalizeIntensityd,
        RandFlipd,
        RandScaleIntensityd,
        RandShiftIntensityd,
        RandSpatialCropd,
        SpatialPadd,
    )  # fmt: skip
    from network_arms import bundle_network

    plan, workspace = _planned(folder)
    learnt, _ = _patients(plan, workspace)
    cases = [case for case in workspace.cohort(plan.pretraining_cohort).cases() if case.patient_id in learnt]
    files = [{"image": [str(case.images[m]) for m in plan.channels], "label": str(case.label)} for case in cases]
    keys, size = ["image", "label"], [crop] * 3
    began = time.perf_counter()
    steps = [
        LoadImaged(keys), EnsureChannelFirstd("image"), ConvertToMultiChannelBasedOnBratsClassesd("label"),
        NormalizeIntensityd("image", nonzero=True, channel_wise=True), SpatialPadd(keys, size),
        RandSpatialCropd(keys, size, random_size=False),
        *[RandFlipd(keys, prob=0.5, spatial_axis=axis) for axis in range(3)],
        RandScaleIntensityd("image", 0.1, prob=1.0), RandShiftIntensityd("image", 0.1, prob=1.0),
    ]  # fmt: skip
    loader = DataLoader(CacheDataset(files, Compose(steps), progress=False), batch_size=1, shuffle=True, num_workers=1)
    network = bundle_network().train()
    objective = (
        DiceCELoss(smooth_nr=1e-5, smooth_dr=1e-5, squared_pred=True, sigmoid=True) if cross_entropy
        else DiceLoss(smooth_nr=0, smooth_dr=1e-5, squared_pred=True, sigmoid=True)
    )  # fmt: skip
    optimizer = torch.optim.Adam(network.parameters(), rate, weight_decay=1e-5)
    shots, count = _Snapshots(network, budget, every, began), 0
    while True:
        for batch in loader:
            optimizer.param_groups[0]["lr"] = rate * 0.5 * (1 + math.cos(math.pi * min(1, shots.clock() / budget)))
            optimizer.zero_grad()
            objective(network(batch["image"].as_tensor()), batch["label"].as_tensor().float()).backward()
            optimizer.step()
            count += 1
            if shots.up():
                return shots.taken, count


def judged_ours(folder, taken):
    """Mean whole-tumour Dice of the four by second."""
    from glioma_os.pipeline.scoring import predict_native

    plan, workspace = _planned(folder)
    _, held = _patients(plan, workspace)
    data = workspace.prepared(workspace.cohort(plan.pretraining_cohort), plan.channels, plan.recipe.spacing_mm)
    network = plan.recipe.network.build(channels=4)
    out = {}
    for second, state in taken.items():
        network.load_state_dict(state)
        network.eval()
        volumes = zip(data.volumes(frozenset(held)), data.cases(frozenset(held)), strict=True)
        out[second] = [
            _whole_tumour(predict_native(network, volume, plan.channels, plan.recipe.trainer) >= 0.5, case)
            for volume, case in volumes
        ]
    return out


def judged_reference(folder, taken, window):
    """As above: the whole volume in the bundle's one window, or its foreground in one or in windows that share a
    quarter, which is MONAI's default; in bf16 where the machine has it, to be done sooner."""
    from monai.inferers import SlidingWindowInferer
    from network_arms import bundle_network

    from glioma_os.networks.fast.memory_retention import retain_freed_memory
    from glioma_os.training.options import TrainerOptions

    retain_freed_memory()
    plan, workspace = _planned(folder)
    _, held = _patients(plan, workspace)
    cases = [case for case in workspace.cohort(plan.pretraining_cohort).cases() if case.patient_id in held]
    network, out = bundle_network().eval(), {}
    for second, state in taken.items():
        network.load_state_dict(state)
        out[second] = []
        for case in cases:
            image = _normalized(case, plan.channels)
            inside = _foreground(image[0]) if window != BUNDLE else (slice(None),) * 3
            mask = np.zeros((3, *image.shape[2:]), bool)
            with torch.inference_mode(), TrainerOptions().autocast():
                part = image[:, :, *inside]
                size = window or [-(-extent // 8) * 8 for extent in part.shape[2:]]
                logits = SlidingWindowInferer(size, 1, 0.25)(part, network)
            mask[:, *inside] = (logits[0].float() >= 0).numpy()
            out[second].append(_whole_tumour(mask, case))
    return out


def _normalized(case, channels):
    from monai.transforms import Compose, EnsureChannelFirst, LoadImage, NormalizeIntensity

    normalize = NormalizeIntensity(nonzero=True, channel_wise=True)
    steps = Compose([LoadImage(image_only=True), EnsureChannelFirst(), normalize])
    return torch.cat([steps(str(case.images[m])).as_tensor() for m in channels])[None]


def _foreground(image):
    from monai.transforms.utils import generate_spatial_bounding_box

    return tuple(slice(*ends) for ends in zip(*generate_spatial_bounding_box(image, lambda x: x != 0), strict=True))


def _whole_tumour(mask, case):
    """Both networks have tumour core, whole tumour, enhancing tumour, in this order."""
    from glioma_os.volumes.dice import dice
    from glioma_os.volumes.nifti import read_nifti

    truth = read_nifti(case.label).data > 0
    return float(dice(mask[1:2], truth[None])[0])
