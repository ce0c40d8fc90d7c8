"""Whole cases and training steps: MONAI's own way, and ours. The network is the bundle's, with random weights."""

import contextlib

import torch
from monai.inferers import SlidingWindowInferer
from monai.losses import DiceLoss
from monai.networks.nets import SegResNet
from sample_arms import FOUR, stored_volumes

from glioma_os.networks.fast.memory_retention import retain_freed_memory
from glioma_os.networks.inference import latents, segment
from glioma_os.networks.segresnet import GliomaSegResNet
from glioma_os.training.options import TrainerOptions

FIELD = (224, 224, 144)  # voxels of the bundle's training patches
STEP = 96


def bundle_network():
    torch.manual_seed(0)
    return SegResNet(
        init_filters=16, in_channels=4, out_channels=3, dropout_prob=0.2, blocks_down=(1, 2, 2, 4), blocks_up=(1, 1, 1)
    )


def our_network():
    torch.manual_seed(0)
    return GliomaSegResNet(4, field=FIELD)


def bundle_inference():
    """The bundle's evaluator: fp32, one window of 240 × 240 × 160."""
    network, window = bundle_network().eval(), SlidingWindowInferer((240, 240, 160), 1, 0.5)
    image = torch.randn(1, 4, 240, 240, 155)

    def arm():
        with torch.inference_mode():
            torch.sigmoid(window(image, network))

    return arm


def _whole_case(folder, predict):
    """As experiment=brats4ch has it: the brain box of a stored case, bf16 where the machine knows it."""
    retain_freed_memory()
    network, options = our_network().eval(), TrainerOptions()
    (volume,) = stored_volumes(folder, 1)

    def arm():
        image = torch.from_numpy(volume.window((0, 0, 0), volume.shape, FOUR))[None]
        with options.autocast():
            predict(network, image)

    return arm


def our_inference(folder):
    return _whole_case(folder, segment)


def our_latents(folder):
    return _whole_case(folder, lambda network, image: latents(network, image, "mean"))


def _step(network, autocast):
    objective, optimizer = DiceLoss(sigmoid=True, squared_pred=True), torch.optim.Adam(network.parameters(), 1e-4)
    image, regions = torch.randn(1, 4, STEP, STEP, STEP), (torch.rand(1, 3, STEP, STEP, STEP) < 0.1).float()

    def arm():
        optimizer.zero_grad()
        with autocast():
            logits = network(image)
        objective(logits.float(), regions).backward()
        optimizer.step()

    return arm


def reference_step():
    return _step(bundle_network().train(), contextlib.nullcontext)


def our_step():
    retain_freed_memory()
    return _step(our_network().train(), TrainerOptions().autocast)


def our_compiled_step():
    """As trainer.compile=true has it; compiling is not timed."""
    retain_freed_memory()
    network = our_network().train()
    network.compile()
    arm = _step(network, TrainerOptions().autocast)
    arm()
    return arm
