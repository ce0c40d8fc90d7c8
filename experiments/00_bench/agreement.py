"""Brain box against the whole volume at 1 mm, with a trained network of the bundle's layout: regions and deepest map.

`agreement.py FILE`: its weights, the Model-Zoo's model.pt or a segmenter's weights.safetensors. Judged on the four real
cases that experiment=real_mini holds out, whose whole volume is the bundle's evaluator's one window.
"""

import sys
import tempfile
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from bench import HAS_BF16
from dice_arms import BUNDLE, held_volumes
from torch.overrides import TorchFunctionMode

from glioma_os.networks.segresnet import GliomaSegResNet
from glioma_os.networks.weights import load_strict, read_state_dict
from glioma_os.volumes.dice import dice


@dataclass(frozen=True)
class Way:
    """How the box is computed."""

    field: tuple | None
    bf16: bool


BF16 = "bf16" if HAS_BF16 else "bf16, products in fp32"
WAYS = {
    f"box in its field, {BF16}": Way(BUNDLE, True),
    "box in its field, fp32": Way(BUNDLE, False),
    "box alone, fp32": Way(None, False),
}


class _ProductsInFp32(TorchFunctionMode):
    """bf16's convolutions for a processor without them: what goes in and comes out is rounded, products and sums are
    fp32, as in hardware that has them."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is not torch.conv3d:
            return func(*args, **(kwargs or {}))
        image, weight, *others = args
        with torch.autocast("cpu", enabled=False):
            return func(image.bfloat16().float(), weight.bfloat16().float(), *others, **(kwargs or {})).bfloat16()


def _images(volume, channels):
    """The brain box, the whole volume with the box in its middle, and where it lies there."""
    corner = [(extent - size) // 16 * 8 for size, extent in zip(volume.shape, BUNDLE, strict=True)]
    box = volume.window((0, 0, 0), volume.shape, channels)
    whole = volume.window(tuple(-place for place in corner), BUNDLE, channels)
    place = tuple(slice(start, start + size) for start, size in zip(corner, volume.shape, strict=True))
    return torch.from_numpy(box)[None], torch.from_numpy(whole)[None], place


@torch.inference_mode()
def _seen(network, image, bf16=False):
    """(3, D, H, W) bool regions and (1, C, d, h, w) deepest map."""
    products = _ProductsInFp32() if bf16 and not HAS_BF16 else nullcontext()
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16), products:
        levels, logits = network.forward_whole_volume(image)
    return (logits[0] >= 0).numpy(), levels[-1].float()


def _judged(network, volume, channels):
    """Way → its Dice with the whole volume's regions and how far its deepest map is from that; the whole volume's Dice
    with the experts."""
    box, whole, place = _images(volume, channels)
    network.normalization_volume = None
    regions, deepest = _seen(network, whole)
    regions = regions[(slice(None), *place)]
    deepest = deepest[(..., *(slice(s.start // 8, -(-s.stop // 8)) for s in place))]
    found = {}
    for name, way in WAYS.items():
        network.normalization_volume = way.field
        own, map_of_box = _seen(network, box, way.bf16)
        found[name] = (*dice(own, regions), float((map_of_box - deepest).norm() / deepest.norm()))
    return found, dice(regions, volume.regions((0, 0, 0), volume.shape).astype(bool))


def main(path):
    network = GliomaSegResNet(4).eval()
    load_strict(network, read_state_dict(path), path)
    found, experts = {name: [] for name in WAYS}, []
    with tempfile.TemporaryDirectory() as folder:
        volumes, channels = held_volumes(folder)
        for volume in volumes:
            own, with_experts = _judged(network, volume, channels)
            print(volume.case_id, {name: np.round(values, 4).tolist() for name, values in own.items()}, flush=True)
            experts.append(with_experts)
            for name, values in own.items():
                found[name].append(values)
    tc, wt, et = np.mean(experts, axis=0)
    print(f"{len(experts)} cases; the whole volume's Dice with the experts: WT {wt:.3f}, TC {tc:.3f}, ET {et:.3f}.\n")
    print("| against the whole volume in fp32 | WT | TC | ET | deepest map apart |")
    print("|---|---|---|---|---|")
    for name, values in ((name, np.array(values)) for name, values in found.items()):
        cells = [f"{values[:, k].mean():.4f} (least {values[:, k].min():.4f})" for k in (1, 0, 2)]
        print(f"| {name} | {' | '.join(cells)} | {values[:, 3].mean():.1%} |")


if __name__ == "__main__":
    main(sys.argv[1])
