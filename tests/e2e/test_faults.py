"""Training that is stopped in every way and goes on to the same bits, on the real network."""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

FIT = [
    "stage=segment", "experiment=demo", "settings={}", "synthetic.patients=8", "synthetic.spacing_mm=8",
    "finetuning.source=none", "pretraining.schedule.epochs=10",
]  # fmt: skip
pytestmark = pytest.mark.slow


def heed_ctrl_c():
    """A shell's background job ignores SIGINT and hands that down; a user's terminal does not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(home, *overrides):
    return subprocess.Popen(
        [sys.executable, "-m", "glioma_os", *FIT, f"paths.store={home.parent / 'store'}", *overrides],
        env=os.environ | {"GLIOMA_OS_HOME": str(home), "OMP_NUM_THREADS": "1"}, start_new_session=True,
        preexec_fn=heed_ctrl_c, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def finished(home, *overrides):
    """sha256 of the weights that a fit, begun or gone on with, ends with."""
    process = start(home, *overrides)
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    (weights,) = home.glob("runs/pretrain/*/*/weights.safetensors")
    return hashlib.sha256(weights.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("faults")


@pytest.fixture(scope="module")
def whole(place):
    return finished(place / "whole")


def checkpoints_seen(home, process, count):
    """Waits until `count` checkpoints were written after one another; whether the fit still runs then."""
    seen, last = 0, None
    while seen < count and process.poll() is None:
        for path in home.glob("runs/pretrain/*/*/checkpoints/last.ckpt"):
            stamp = path.stat().st_mtime_ns
            seen, last = (seen + 1, stamp) if stamp != last else (seen, last)
        time.sleep(0.01)
    return process.poll() is None


@pytest.mark.timeout(3000)
def test_twenty_kills_at_any_instant_end_at_the_same_bits(place, whole):
    draw, kills = random.Random(11), 0
    while kills < 20:
        home = place / "killed"
        shutil.rmtree(home, ignore_errors=True)
        process = start(home)
        running = checkpoints_seen(home, process, draw.randint(1, 7))
        time.sleep(draw.random() * 0.8)
        if not running or process.poll() is not None:
            process.communicate()
            continue  # it ended before: no kill, not counted
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL and list(home.glob("runs/pretrain/*/*/checkpoints/last.ckpt"))
        kills += 1
        assert finished(home) == whole, f"kill {kills}"


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGUSR1, 143), (signal.SIGINT, 130)], ids=str
)
def test_a_stopped_fit_says_so_and_goes_on(place, whole, number, code):
    home = place / f"stopped{code}{int(number)}"
    process = start(home)
    assert checkpoints_seen(home, process, 2)
    os.killpg(process.pid, number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code and "go on" in errors
    assert not list(home.glob("runs/pretrain/*/*/DONE")) and finished(home) == whole


def test_a_full_disk_keeps_the_last_checkpoint(place, whole):
    home = place / "full"
    home.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=90m", "tmpfs", str(home)]  # one checkpoint of 57 MB, not two
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount a small disk")
    try:
        process = start(home)
        _, errors = process.communicate(timeout=240)
        assert process.returncode == 4 and "EnvironmentFault" in errors and "space" in errors, errors
        (last,) = home.glob("runs/pretrain/*/*/checkpoints/last.ckpt")
        assert last.stat().st_size > 50e6
        subprocess.run(["mount", "-o", "remount,size=400m", str(home)], check=True)
        assert finished(home) == whole
    finally:
        subprocess.run(["umount", str(home)], check=True)
