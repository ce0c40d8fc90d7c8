"""Several ranks train what one process trains, or fail together."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.offline_runs import read_runs

TINY = [
    "stage=segment", "experiment=demo", "settings={}", "synthetic.patients=12", "synthetic.spacing_mm=8",
    "finetuning.source=none", "network.init_filters=8", "pretraining.schedule.epochs=2", "trainer.precision=32-true",
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


def weights_after(home, *overrides, stage="pretrain"):
    process = glioma_os(home, *overrides)
    _, errors = process.communicate(timeout=280)
    assert process.returncode == 0, errors
    (run,) = [done.parent for done in Path(home).glob(f"runs/{stage}/*/*/DONE")]
    return load_file(run / "weights.safetensors"), run


def distance(one, other):
    return sum(float(((one[name] - other[name]) ** 2).sum()) for name in one) ** 0.5


CASES = {
    "pretrain": (),
    "checkpointed": ("trainer.activation_checkpointing=true",),
    "gradual": ("finetuning.source=cohort", "transfer=gradual", "finetuning.schedule.epochs=4"),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_two_ranks_equal_one_process_that_accumulates_their_batches(tmp_path, case):
    words, stage = CASES[case], "finetune" if case == "gradual" else "pretrain"
    one, run_one = weights_after(tmp_path / "one", "trainer=cpu", "trainer.accumulate=2", *words, stage=stage)
    two, run_two = weights_after(tmp_path / "two", "trainer=ddp_cpu", *words, stage=stage)
    still = ("pretraining.schedule.lr=1e-12", "finetuning.schedule.lr=1e-12")
    start, _ = weights_after(tmp_path / "start", *words, *still, stage=stage)
    assert set(one) == set(two) and 0 < distance(one, two) < 0.01 * distance(one, start)
    curves = [(run / "metrics.csv").read_text().splitlines() for run in (run_one, run_two)]
    losses = [[float(line.split(",")[1]) for line in lines[1:]] for lines in curves]
    assert len(losses[0]) >= 2 and losses[0] == pytest.approx(losses[1], rel=1e-3)


def ranks_of(home):
    """Process ids of what runs for this home, whatever started it."""
    found = []
    for status in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"GLIOMA_OS_HOME={home}".encode() in status.read_bytes():
                found.append(int(status.parent.name))
        except OSError:
            continue
    return found


def command_of(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def wait_for(condition, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    return None


LONG = ("trainer=ddp_cpu", "pretraining.schedule.epochs=500")


def training_ranks(home):
    """Ranks whose first checkpoint is written, so that they are in the middle of the fit."""
    if not list(Path(home).glob("runs/pretrain/*/*/checkpoints/last.ckpt")):
        return None
    ranks = [pid for pid in ranks_of(home) if "-m glioma_os.pipeline.rank" in command_of(pid)]
    return [pid for pid in ranks if "torch" not in command_of(pid) and "training.distributed" not in command_of(pid)]


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["rank", "torchrun", "main"])
def test_what_kills_one_ends_all_within_a_minute(tmp_path, victim):
    process = glioma_os(tmp_path, *LONG)
    ranks = wait_for(lambda: training_ranks(tmp_path), 240)
    assert ranks is not None and len(ranks) == 2
    torchrun = [pid for pid in ranks_of(tmp_path) if "training.distributed" in command_of(pid)]
    os.kill({"rank": ranks[1], "torchrun": torchrun[0], "main": process.pid}[victim], signal.SIGKILL)
    assert wait_for(lambda: not [pid for pid in ranks_of(tmp_path) if command_of(pid)], 60), "orphans"
    _, errors = process.communicate(timeout=10)
    if victim == "main":
        assert process.returncode == -signal.SIGKILL
    else:
        assert process.returncode == 6 and "ranks.log" in errors


@pytest.mark.slow
def test_what_a_rank_raises_is_reported_and_a_stopped_group_resumes(tmp_path):
    process = glioma_os(tmp_path, "trainer=ddp_cpu", "pretraining.schedule.lr=1e30", "pretraining.schedule.epochs=20")
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 6 and "TrainingError: step" in errors and "finite" in errors

    whole, _ = weights_after(tmp_path / "whole", "trainer=ddp_cpu", "pretraining.schedule.epochs=6")
    process = glioma_os(tmp_path / "stopped", "trainer=ddp_cpu", "pretraining.schedule.epochs=6")
    assert wait_for(lambda: training_ranks(tmp_path / "stopped"), 240)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 143 and "go on" in errors
    assert not [pid for pid in ranks_of(tmp_path / "stopped") if command_of(pid)]
    resumed, _ = weights_after(tmp_path / "stopped", "trainer=ddp_cpu", "pretraining.schedule.epochs=6")
    assert all(np.array_equal(whole[name], resumed[name]) for name in whole)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_sweep_of_process_groups_gives_what_single_runs_give_and_a_crash_stays_alone(tmp_path):
    process = glioma_os(
        tmp_path / "many", "-m", "trainer=ddp_cpu", "seed=0,1,2", "pretraining.schedule.lr=1e-3,1e30", "name=many"
    )
    _, errors = process.communicate(timeout=800)
    assert process.returncode == 1 and "3 of 6 jobs done" in errors, errors
    assert errors.count("TrainingError: step") >= 3
    told = json.loads((tmp_path / "many/runs/sweep/many/sweep.json").read_text())
    done = [job for job in told if job["status"] == "done"]
    assert [dict(w.split("=", 1) for w in job["overrides"])["seed"] for job in done] == ["0", "1", "2"]
    swept = [load_file(Path(job["runs"]["all patients"]) / "weights.safetensors") for job in done]
    assert any(not np.array_equal(swept[0][name], swept[1][name]) for name in swept[0])
    alone, _ = weights_after(
        tmp_path / "alone", "trainer=cpu", "trainer.accumulate=2", "seed=1", "pretraining.schedule.lr=1e-3"
    )
    assert distance(alone, swept[1]) < 1e-3 * distance(alone, {name: 0 * alone[name] for name in alone})


@pytest.mark.slow
def test_a_process_group_is_one_run_on_the_dashboard(tmp_path):
    weights_after(tmp_path, "trainer=ddp_cpu", "logger=wandb", "pretraining.holdout=2")
    ((name, run),) = read_runs(tmp_path / "runs").items()
    assert (run["job_type"], run["group"], run["config"]["trainer.devices"]) == ("pretrain", "demo", 2)
    assert sum("train/loss" in row for row in run["history"]) == 2 and "test/dice_wt_high" in run["summary"]
    assert f"pretrain-{name}" in [artefact["name"] for artefact in run["artefacts"]]
