"""The arms of time_to_dice.py: a recipe trained for a given time, and its snapshots judged."""

import math
import time
from pathlib import Path

import numpy as np
import torch

PACE = 1  # epochs
BUNDLE = (240, 240, 160)  # the bundle's evaluator: one window
FOREGROUND = None  # all that is not background in one window


def _setting(folder, *overrides):
    from hydra import compose, initialize_config_dir

    from glioma_os.__main__ import config_folder
    from glioma_os.stages.setting import Setting

    places = [f"paths.store={folder}/store", f"paths.runs={folder}/runs"]
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        return Setting(compose("config", overrides=["experiment=real_mini", *places, *overrides]))


def _patients(setting):
    """(learnt from, judged on), as stage=segment deals them."""
    cases = setting.cohort("pretraining.cohort").cases()
    patients = sorted({case.patient_id for case in cases if case.label is not None})
    order = np.random.default_rng(int(setting.cfg.seed)).permutation(len(patients))
    held = [patients[place] for place in order[: int(setting.cfg.pretraining.holdout)]]
    return sorted(set(patients) - set(held)), sorted(held)


def held_volumes(folder):
    """Stored volumes of the held-out patients on the scanner's grid, and the channels."""
    setting = _setting(folder, "prepare.spacing_mm=null")
    _, held = _patients(setting)
    data = setting.prepared(setting.cohort("pretraining.cohort"), setting.channels)
    return data.volumes(frozenset(held)), setting.channels


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
    setting = _setting(folder)
    cohort, channels = setting.cohort("pretraining.cohort"), setting.channels
    setting.prepared(cohort, channels)
    learnt, held = _patients(setting)
    data = setting.data(
        cohort, channels, setting.cfg.pretraining.schedule, train_patients=learnt, test_patients=held
    )  # fmt: skip
    ready = time.perf_counter()
    _fit(setting, data, Path(folder) / "pace", PACE, None)
    pace = (time.perf_counter() - ready) / PACE
    began += time.perf_counter() - ready  # measuring it is no part of the race
    epochs = max(1, round((budget - (time.perf_counter() - began)) / pace))
    shots = _fit(setting, data, Path(folder) / "fit", epochs, (budget, every, began))
    if shots.clock() < budget:
        shots.take()
    return shots.taken, len(learnt) * epochs


def _fit(setting, data, folder, epochs, race):
    from lightning.pytorch.loggers.logger import DummyLogger

    from glioma_os.modules.segmenter import SegmenterModule
    from glioma_os.modules.transfer import Full
    from glioma_os.stages.build import build
    from glioma_os.training.fit import fit_segmenter
    from glioma_os.training.run import Run

    schedule = setting.cfg.pretraining.schedule
    torch.manual_seed(int(setting.cfg.seed))
    network = build(setting.cfg.network, "network", channels=len(setting.channels))
    module = SegmenterModule(
        network, build(schedule.objective, "schedule.objective"), Full(), lr=float(schedule.lr),
        weight_decay=float(schedule.weight_decay), warmup=float(schedule.warmup),
    )  # fmt: skip
    shots = race and _Snapshots(network, *race)

    class Clock(DummyLogger):
        """Told at the end of every epoch."""

        def log_metrics(self, metrics, step=None):
            module.trainer.should_stop = bool(shots and shots.up())

    fit_segmenter(module, data, Run(folder, "pretrain", "race", {}, 0), setting.options, epochs, [Clock()], "race")
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

    setting = _setting(folder)
    learnt, _ = _patients(setting)
    cases = [case for case in setting.cohort("pretraining.cohort").cases() if case.patient_id in learnt]
    files = [{"image": [str(case.images[m]) for m in setting.channels], "label": str(case.label)} for case in cases]
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
    from glioma_os.stages.build import build
    from glioma_os.stages.scoring import predict_native

    setting = _setting(folder)
    _, held = _patients(setting)
    data = setting.prepared(setting.cohort("pretraining.cohort"), setting.channels)
    network = build(setting.cfg.network, "network", channels=4)
    out = {}
    for second, state in taken.items():
        network.load_state_dict(state)
        network.eval()
        volumes = zip(data.volumes(frozenset(held)), data.cases(frozenset(held)), strict=True)
        out[second] = [
            _whole_tumour(predict_native(setting, network, volume, setting.channels) >= 0.5, case)
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
    setting = _setting(folder)
    _, held = _patients(setting)
    cases = [case for case in setting.cohort("pretraining.cohort").cases() if case.patient_id in held]
    network, out = bundle_network().eval(), {}
    for second, state in taken.items():
        network.load_state_dict(state)
        out[second] = []
        for case in cases:
            image = _normalized(case, setting.channels)
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
