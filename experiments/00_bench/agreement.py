"""Brain box against the whole volume at 1 mm, with a trained network of the bundle's layout: regions and deepest map.

`agreement.py FILE`: its weights, the Model-Zoo's model.pt or what time_to_dice.py kept. Judged on the four real cases
that time_to_dice.py holds out, whose whole volume is the bundle's evaluator's one window.
"""

import sys
import tempfile
from dataclasses import dataclass

import numpy as np
import torch
from dice_arms import BUNDLE, held_volumes

from glioma_os.networks.inference import pad_to_divisor, segment
from glioma_os.networks.segresnet import GliomaSegResNet
from glioma_os.networks.weights import load_strict, read_state_dict
from glioma_os.training.options import TrainerOptions
from glioma_os.volumes.dice import dice


@dataclass(frozen=True)
class Way:
    """How the box is computed."""

    field: tuple | None
    autocast: bool


SHIPPED = TrainerOptions().resolved_precision()
WAYS = {
    f"box in its field, as shipped ({SHIPPED})": Way(BUNDLE, True),
    "box in its field, fp32": Way(BUNDLE, False),
    "box alone, fp32": Way(None, False),
}


def _images(volume, channels):
    """The brain box, the whole volume with the box in its middle, and where it lies there."""
    corner = [(extent - size) // 16 * 8 for size, extent in zip(volume.shape, BUNDLE, strict=True)]
    box = volume.window((0, 0, 0), volume.shape, channels)
    whole = volume.window(tuple(-place for place in corner), BUNDLE, channels)
    place = tuple(slice(start, start + size) for start, size in zip(corner, volume.shape, strict=True))
    return torch.from_numpy(box)[None], torch.from_numpy(whole)[None], place


@torch.inference_mode()
def _deepest(network, image):
    levels, _ = network.whole(pad_to_divisor(image, network.divisor), decode=False)
    return levels[-1].float()


def _judged(network, volume, channels, found, apart):
    """Appends each way's Dice with the whole volume's regions; the whole volume's Dice with the experts."""
    box, whole, place = _images(volume, channels)
    network.field = None
    inside = (segment(network, whole)[0] >= 0.5).numpy()[(slice(None), *place)]
    deepest = _deepest(network, whole)[(..., *(slice(s.start // 8, -(-s.stop // 8)) for s in place))]
    for name, way in WAYS.items():
        network.field = way.field
        with torch.autocast("cpu", torch.bfloat16, enabled=way.autocast and SHIPPED == "bf16-mixed"):
            found[name].append(dice((segment(network, box)[0] >= 0.5).numpy(), inside))
            apart[name].append(float((_deepest(network, box) - deepest).norm() / deepest.norm()))
    return dice(inside, volume.regions((0, 0, 0), volume.shape).astype(bool))


def main(path):
    network = GliomaSegResNet(4).eval()
    load_strict(network, read_state_dict(path), path)
    found, apart = {name: [] for name in WAYS}, {name: [] for name in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        volumes, channels = held_volumes(folder)
        experts = [_judged(network, volume, channels, found, apart) for volume in volumes]
    tc, wt, et = np.mean(experts, axis=0)
    print(f"{len(experts)} cases; the whole volume's Dice with the experts: WT {wt:.3f}, TC {tc:.3f}, ET {et:.3f}.\n")
    print("| against the whole volume in fp32 | WT | TC | ET | deepest map apart |")
    print("|---|---|---|---|---|")
    for name in WAYS:
        values = np.array(found[name])
        cells = [f"{values[:, k].mean():.4f} (least {values[:, k].min():.4f})" for k in (1, 0, 2)]
        print(f"| {name} | {' | '.join(cells)} | {np.mean(apart[name]):.1%} |")


if __name__ == "__main__":
    main(sys.argv[1])
