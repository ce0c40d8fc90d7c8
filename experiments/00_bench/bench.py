"""Peers and ours side by side in one run, in turn, medians: `make bench`. Writes results.json."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import head_arms
import network_arms
import sample_arms
import torch
from turns import in_turn

from glioma_os.cohorts.synthetic import synthetic_cohort

HERE = Path(__file__).parent


def _command(*words):
    return lambda: subprocess.run([sys.executable, *words], check=True, capture_output=True)


def comparisons(folder):
    """What, peer, goal (× faster), the peer's arm, ours, rounds, and which share of the work the peer's arm does."""
    place, few = (folder,), 5
    yield (
        "training sample 4×128³",
        "MONAI bundle transforms",
        60,
        sample_arms.monai_plain,
        place,
        sample_arms.ours,
        place,
        8,
        1,
    )
    yield (
        "training sample 4×128³",
        "MONAI CacheDataset",
        8,
        sample_arms.monai_cache,
        place,
        sample_arms.ours,
        place,
        12,
        1,
    )
    yield (
        "training sample 4×128³",
        "TorchIO sampler",
        15,
        sample_arms.torchio_queue,
        place,
        sample_arms.ours,
        place,
        8,
        1,
    )
    yield (
        "whole case → regions",
        "the bundle's inference",
        12,
        network_arms.bundle_inference,
        place,
        network_arms.our_inference,
        place,
        3,
        1,
    )
    yield (
        "whole case → latents",
        "the bundle's inference",
        20,
        network_arms.bundle_inference,
        place,
        network_arms.our_latents,
        place,
        3,
        1,
    )
    yield (
        "training step 96³",
        "fp32 reference",
        2.5,
        network_arms.reference_step,
        place,
        network_arms.our_step,
        place,
        5,
        1,
    )
    yield (
        "500 MLP heads",
        "500 Lightning fits",
        100,
        head_arms.one_by_one,
        (few,),
        head_arms.batched,
        (head_arms.FITS,),
        3,
        few / head_arms.FITS,
    )
    yield (
        "2,000 replicates of C, AUC, IBS, n = 600",
        "scikit-survival, scikit-learn in a loop",
        50,
        head_arms.scikit_survival,
        (600, 50),
        head_arms.vectorised,
        (600, 2000),
        3,
        50 / 2000,
    )
    yield (
        "`glioma-os --help`",
        "importing torch, lightning, monai",
        8,
        _command,
        ("-c", "import torch, lightning, monai"),
        _command,
        ("-m", "glioma_os", "--help"),
        3,
        1,
    )


def main():
    results = []
    print("| what | peer | peer, ms | ours, ms | ratio | goal |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        real = Path(os.environ.get("GLIOMA_OS_REAL_DATA", "../shared/data")) / "brats2018"
        if not real.is_dir():
            cohort = synthetic_cohort("brats2020", folder, sample_arms.CASES, 0.7, spacing_mm=1.0)
            real = next(iter(cohort.cases()[0].images.values())).parents[1]
        os.environ["GLIOMA_OS_BENCH_CASES"] = str(real)
        for what, peer, goal, peers, theirs, ours, own, rounds, share in comparisons(folder):
            seconds = in_turn({"peer": (peers, theirs), "ours": (ours, own)}, rounds)
            row = {
                "what": what,
                "peer": peer,
                "goal": goal,
                "peer_ms": 1e3 * seconds["peer"] / share,
                "ours_ms": 1e3 * seconds["ours"],
            }
            row["ratio"] = row["peer_ms"] / row["ours_ms"]
            results.append(row)
            print(
                f"| {what} | {peer} | {row['peer_ms']:.0f} | {row['ours_ms']:.1f} | {row['ratio']:.1f}× | {goal}× |",
                flush=True,
            )
    told = {"load": os.getloadavg()[0], "threads": torch.get_num_threads(), "results": results}
    print(f"\nload {told['load']:.1f}, {told['threads']} threads")
    (HERE / "results.json").write_text(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
