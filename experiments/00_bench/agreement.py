"""Brain box against the whole volume, with a network trained on volumes of network.field: regions and deepest map.

`agreement.py OVERRIDES`: the overrides of the glioma-os command whose pre-training is judged, network.field among them.
"""

import sys

import numpy as np
import torch
from hydra import compose, initialize_config_dir

from glioma_os.__main__ import config_folder
from glioma_os.networks.inference import pad_to_divisor, segment
from glioma_os.stages.fitting import pretrain
from glioma_os.stages.setting import Setting
from glioma_os.volumes.dice import dice

WAYS = ("box in its field, as shipped", "box in its field, fp32", "box alone, fp32")


def _images(volume, channels, field):
    """The brain box, and the volume of `field` voxels with the box in its middle, from `corner` on."""
    corner = [(extent - size) // 16 * 8 for size, extent in zip(volume.shape, field, strict=True)]
    box = volume.window((0, 0, 0), volume.shape, channels)
    whole = volume.window(tuple(-place for place in corner), field, channels)
    place = tuple(slice(start, start + size) for start, size in zip(corner, volume.shape, strict=True))
    return torch.from_numpy(box)[None], torch.from_numpy(whole)[None], place


@torch.inference_mode()
def _deepest(network, image):
    levels, _ = network.whole(pad_to_divisor(image, network.divisor), decode=False)
    return levels[-1]


def main(overrides):
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        setting = Setting(compose("config", overrides=overrides))
    segmenter, field = pretrain(setting), tuple(setting.cfg.network.field)
    network = segmenter.network(setting)
    data = setting.prepared(setting.cohort("pretraining.cohort"), segmenter.channels)
    seen = {patient for patients in segmenter.patients.values() for patient in patients}
    found = {way: [] for way in WAYS}
    apart = {way: [] for way in WAYS}
    reference = []
    for volume in data.volumes(frozenset(case.patient_id for case in data.cases()) - seen):
        box, whole, place = _images(volume, segmenter.channels, field)
        ends = [(axis.start, axis.stop) for axis in place]
        own = volume.regions((0, 0, 0), volume.shape).astype(bool)
        network.field = None
        truth = (segment(network, whole)[0] >= 0.5).numpy()
        inside = truth[(slice(None), *place)]
        deepest = _deepest(network, whole)[(..., *(slice(start // 8, -(-stop // 8)) for start, stop in ends))]
        reference.append([*dice(inside, own), truth.sum() - inside.sum()])
        for way in WAYS:
            network.field = None if "alone" in way else field
            with torch.autocast("cpu", torch.bfloat16, enabled="shipped" in way):
                mask = (segment(network, box)[0] >= 0.5).numpy()
                other = _deepest(network, box).float()
            found[way].append(dice(mask, inside))
            apart[way].append(float((other - deepest).norm() / deepest.norm()))
    tc, wt, et, beyond = np.mean(reference, axis=0)
    print(f"{len(reference)} held-out cases. The whole volume's Dice with the experts: WT {wt:.3f}, TC {tc:.3f},")
    print(f"ET {et:.3f}; {beyond:.0f} voxels a case outside the brain box.\n")
    print("| against the whole volume in fp32 | WT | TC | ET | deepest map apart |")
    print("|---|---|---|---|---|")
    for way in WAYS:
        values = np.array(found[way])
        cells = [f"{values[:, k].mean():.4f} (least {values[:, k].min():.4f})" for k in (1, 0, 2)]
        print(f"| {way} | {' | '.join(cells)} | {np.mean(apart[way]):.1%} |")


if __name__ == "__main__":
    main(sys.argv[1:])
