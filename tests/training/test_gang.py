"""Several ranks train what one process trains, or fail together."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

TINY = [
    "stage=segment", "experiment=demo", "settings={}", "synthetic.patients=12", "synthetic.spacing_mm=8",
    "finetuning.from=none", "network.init_filters=8", "pretraining.schedule.epochs=2", "trainer.precision=32-true",
]  # fmt: skip


def glioma_os(home, *overrides):
    command = [sys.executable, "-m", "glioma_os", *TINY, *overrides]
    return subprocess.Popen(
        command, env=os.environ | {"GLIOMA_OS_HOME": str(home)}, stderr=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True, start_new_session=True,
    )  # fmt: skip


def run_of(home):
    (found,) = Path(home).glob("runs/pretrain/*/*")
    return found


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("gang")


def weights_after(home, *overrides):
    process = glioma_os(home, *overrides)
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    done = [run for run in Path(home).glob("runs/pretrain/*/*") if (run / "DONE").exists()]
    newest = max(done, key=lambda run: (run / "DONE").stat().st_mtime)
    return load_file(newest / "weights.safetensors"), newest


@pytest.mark.parametrize("extra", [(), ("trainer.activation_checkpointing=true",)], ids=["plain", "checkpointed"])
def test_two_ranks_equal_one_process_that_accumulates_their_batches(home, extra):
    one, run_one = weights_after(home, "trainer=cpu", "trainer.accumulate=2")
    two, run_two = weights_after(home, "trainer=ddp_cpu", *extra)
    assert run_one != run_two and set(one) == set(two)
    start, _ = weights_after(home, "pretraining.schedule.lr=1e-12")
    moved = max(float(np.abs(one[name] - start[name]).max()) for name in one)
    apart = max(float(np.abs(one[name] - two[name]).max()) for name in one)
    assert moved > 1e-3 and apart < 0.02 * moved
    curves = [(run / "metrics.csv").read_text().splitlines() for run in (run_one, run_two)]
    losses = [[float(line.split(",")[1]) for line in lines[1:]] for lines in curves]
    assert len(losses[0]) == 2 and losses[0] == pytest.approx(losses[1], rel=1e-3)
