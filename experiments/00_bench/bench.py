"""Peers and ours side by side in one run, in turn, medians: `make bench`. Writes results.json."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from monai.transforms import (
    Compose,
    EnsureChannelFirstd,
    LoadImaged,
    NormalizeIntensityd,
    RandFlipd,
    RandScaleIntensityd,
    RandShiftIntensityd,
    RandSpatialCropd,
)
from sksurv.metrics import concordance_index_censored

from glioma_os.cohorts.brats import BratsCohort
from glioma_os.cohorts.synthetic import synthetic_cohort
from glioma_os.data.augmentation import Augmentation
from glioma_os.data.patches import PatchDataset
from glioma_os.records import Modality
from glioma_os.survival.bootstrap import METRICS, Sample, bootstrap_weights
from glioma_os.volumes.prepare import Recipe
from glioma_os.volumes.store import VolumeStore

FOUR = tuple(m.value for m in Modality)
PATCH = (128, 128, 128)
HERE = Path(__file__).parent


def in_turn(arms, rounds):
    """Median seconds of each arm, taken in turn after one warm-up."""
    times = {name: [] for name in arms}
    for lap in range(rounds + 1):
        for name, arm in arms.items():
            start = time.perf_counter()
            arm()
            if lap:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def full_size_cohort(folder):
    real = Path(os.environ.get("GLIOMA_OS_REAL_DATA", "../shared/data")) / "brats2018"
    if real.is_dir():
        return BratsCohort(real), "real full-size cases"
    return synthetic_cohort("brats2020", folder, 2, 0.7, spacing_mm=1.0), "synthetic full-size cases"


def training_sample(folder):
    cohort, kind = full_size_cohort(folder)
    cases = cohort.cases()[:4]
    store = VolumeStore(Path(folder) / "store")
    recipe = Recipe(FOUR, cohort.label_coding)
    volumes = [store.open(store.prepare(case, recipe)) for case in cases]
    ours = PatchDataset(volumes, FOUR, PATCH, Augmentation(), 0, 0)
    keys = ["image", "label"]
    bundle = Compose(
        [
            LoadImaged(keys),
            EnsureChannelFirstd(keys),
            NormalizeIntensityd("image", nonzero=True, channel_wise=True),
            RandSpatialCropd(keys, PATCH, random_size=False),
            *[RandFlipd(keys, prob=0.5, spatial_axis=axis) for axis in range(3)],
            RandScaleIntensityd("image", 0.1, prob=1.0),
            RandShiftIntensityd("image", 0.1, prob=1.0),
        ]
    )
    files = [{"image": [str(c.images[m]) for m in Modality], "label": str(c.label)} for c in cases]
    turn = iter(range(10_000))
    arms = {
        "peer": lambda: bundle(files[next(turn) % len(files)]),
        "ours": lambda: ours[next(turn) % len(cases)],
    }
    return f"training sample 4×128³ ({kind})", "MONAI bundle transforms, plain Dataset", in_turn(arms, 8)


def bootstrap(_):
    rng = np.random.default_rng(0)
    n, replicates = 600, 200
    sample = Sample(rng.exponential(400, n), rng.random(n) < 0.8, rng.standard_normal(n))
    weights = bootstrap_weights(n, replicates, 0)

    def peer():
        for draw in np.random.default_rng(0).integers(n, size=(replicates, n)):
            concordance_index_censored(sample.event[draw], sample.time[draw], sample.risk[draw])

    arms = {"peer": peer, "ours": lambda: METRICS["c_index"](sample, weights)}
    return f"{replicates} bootstrap replicates of C, n = {n}", "scikit-survival in a loop", in_turn(arms, 3)


def command_help(_):
    arms = {
        "peer": lambda: subprocess.run([sys.executable, "-c", "import torch, lightning, monai"], check=True),
        "ours": lambda: subprocess.run([sys.executable, "-m", "glioma_os", "--help"], check=True, capture_output=True),
    }
    return "`glioma-os --help`", "importing torch, lightning and monai", in_turn(arms, 3)


def main():
    results = []
    print("| what | peer | peer, ms | ours, ms | ratio |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for measure in (training_sample, bootstrap, command_help):
            what, peer, seconds = measure(folder)
            row = {"what": what, "peer": peer, "peer_ms": 1e3 * seconds["peer"], "ours_ms": 1e3 * seconds["ours"]}
            row["ratio"] = row["peer_ms"] / row["ours_ms"]
            results.append(row)
            print(
                f"| {what} | {peer} | {row['peer_ms']:.0f} | {row['ours_ms']:.1f} | {row['ratio']:.1f}× |", flush=True
            )
    load, threads = os.getloadavg()[0], torch.get_num_threads()
    print(f"\nload {load:.1f}, {threads} threads")
    (HERE / "results.json").write_text(json.dumps({"load": load, "threads": threads, "results": results}, indent=1))


if __name__ == "__main__":
    main()
