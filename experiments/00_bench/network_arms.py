"""Whole cases and training steps: MONAI's own way, and ours. The network is the bundle's, with random weights."""

import os
from pathlib import Path

import torch
from monai.inferers import SlidingWindowInferer
from monai.losses import DiceLoss
from monai.networks.nets import SegResNet

from glioma_os.cohorts.brats import BratsCohort
from glioma_os.networks.inference import latents, segment
from glioma_os.networks.segresnet import GliomaSegResNet
from glioma_os.records import Modality
from glioma_os.training.options import TrainerOptions
from glioma_os.training.pages import keep_pages
from glioma_os.volumes.prepare import Recipe
from glioma_os.volumes.store import VolumeStore

FOUR = tuple(m.value for m in Modality)


def bundle_network():
    torch.manual_seed(0)
    return SegResNet(
        init_filters=16, in_channels=4, out_channels=3, dropout_prob=0.2, blocks_down=(1, 2, 2, 4), blocks_up=(1, 1, 1)
    )


def our_network():
    torch.manual_seed(0)
    return GliomaSegResNet(4)


def brain_box(folder):
    """One stored case, as every stage reads it."""
    cohort = real_cases()
    store = VolumeStore(Path(folder) / "store")
    volume = store.open(store.prepare(cohort.cases()[0], Recipe(FOUR, cohort.label_coding)))
    return torch.from_numpy(volume.window((0, 0, 0), volume.shape, FOUR))[None]


def real_cases():
    """Full-size cases: real ones where they are, drawn ones elsewhere."""
    return BratsCohort(Path(os.environ["GLIOMA_OS_BENCH_CASES"]))


def bundle_inference(folder):
    """The bundle's evaluator: fp32, one window of 240 × 240 × 160."""
    network, window = bundle_network().eval(), SlidingWindowInferer((240, 240, 160), 1, 0.5)
    image = torch.randn(1, 4, 240, 240, 155)

    def arm():
        with torch.inference_mode():
            torch.sigmoid(window(image, network))

    return arm


def our_inference(folder):
    keep_pages()
    network, image, options = our_network().eval(), brain_box(folder), TrainerOptions()

    def arm():
        with options.autocast():
            segment(network, image)

    return arm


def our_latents(folder):
    keep_pages()
    network, image, options = our_network().eval(), brain_box(folder), TrainerOptions()

    def arm():
        with options.autocast():
            latents(network, image, "mean")

    return arm


def _step(network, autocast):
    objective, optimizer = DiceLoss(sigmoid=True, squared_pred=True), torch.optim.Adam(network.parameters(), 1e-4)
    image, regions = torch.randn(1, 4, 96, 96, 96), (torch.rand(1, 3, 96, 96, 96) < 0.1).float()

    def arm():
        optimizer.zero_grad()
        with autocast():
            logits = network(image)
        objective(logits.float(), regions).backward()
        optimizer.step()

    return arm


def reference_step(folder):
    import contextlib

    return _step(bundle_network().train(), contextlib.nullcontext)


def our_step(folder):
    keep_pages()
    return _step(our_network().train(), TrainerOptions().autocast)
