"""Work that is killed at instants spread over all of it ends with the same bytes as work that was not."""

import hashlib
import os
import random
import re
import signal
import subprocess
import sys
import time

import pytest

from tests.e2e.test_integrity import STUDY, write_table
from tests.e2e.test_study import TINY

DATED = re.compile(rb"\d{4}-\d\d-\d\d( \d\d:\d\d UTC)?")
NOT_RESULTS = ("DONE", ".lock", "job.json", "job.log", "sweep.json", "result.json", "multirun.yaml")  # times, paths
SWEEP = ["-m", "stage=survival", *STUDY, "head=cox,logistic,weibull"]


def results(folder):
    """sha256 of every file that the work left, dates of reports aside; no draft may be among them."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in NOT_RESULTS]
    assert not [path for path in folder.rglob(".*.tmp")]
    return {
        str(path.relative_to(folder)): hashlib.sha256(DATED.sub(b"", path.read_bytes())).hexdigest()
        for path in files
        if "index" not in path.parts and "sums" not in path.parts  # named by the time of their sources
        and not (path.suffix == ".json" and path.parent.parent.name == "store")  # manifests hold times
    }  # fmt: skip


def start(folder, words):
    environment = {name: value for name, value in os.environ.items() if name != "GLIOMA_OS_HOME"}
    return subprocess.Popen(
        [sys.executable, "-m", "glioma_os", *words], cwd=folder, env=environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def finish(folder, words):
    process = start(folder, words)
    _, errors = process.communicate(timeout=900)
    assert process.returncode == 0, errors[-2000:]


def changes(folder):
    """How many files there are and how often they were written, which goes up while work is done."""
    return {str(path): os.stat(path).st_mtime_ns for path in folder.rglob("*") if os.path.isfile(path)}


def kill_within(folder, words, steps, wait_s):
    """Kills once `steps` changes of files were seen and `wait_s` went by; whether there was something to kill."""
    process, seen = start(folder, words), 0
    try:
        last = changes(folder)
        while seen < steps and process.poll() is None:
            try:
                now = changes(folder)
            except FileNotFoundError:
                continue
            seen, last = seen + len(now.items() - last.items()), now
            time.sleep(0.005)
        time.sleep(wait_s)
        alive = process.poll() is None
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    finally:
        process.communicate()
    return alive and process.returncode == -signal.SIGKILL


def killed_often(folder, words, kills, most_steps):
    draw, done, tries = random.Random(3), 0, 0
    while done < kills:
        tries += 1
        assert tries < 6 * kills, f"{done} of {kills} kills hit"
        done += kill_within(folder, words, draw.randint(1, most_steps), draw.random() * 0.4)
        if done and not tries % 7 and folder.joinpath("runs").is_dir():  # from the start again, so that kills spread
            folder.joinpath("runs").rename(folder / f"done{tries}")
    finish(folder, words)


@pytest.mark.timeout(280)
def test_a_killed_survival_study_ends_with_the_same_bytes(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        folder.mkdir()
        write_table(folder / "t.csv")
    words = ["stage=study", *STUDY]
    finish(whole, words)
    draw, hits = random.Random(5), 0
    for _ in range(4):
        hits += kill_within(killed, words, draw.randint(1, 8), draw.random() * 0.2)
    assert hits >= 2
    finish(killed, words)
    assert results(killed) == results(whole) and len(results(whole)) > 10


@pytest.mark.slow
@pytest.mark.timeout(3500)
@pytest.mark.parametrize(
    ("words", "kills", "steps"), [(["stage=study", *TINY], 35, 60), (SWEEP, 15, 25)], ids=["study", "sweep"]
)
def test_fifty_kills_spread_over_the_work_change_no_byte(tmp_path, words, kills, steps):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        folder.mkdir()
        write_table(folder / "t.csv")
    finish(whole, words)
    killed_often(killed, words, kills, steps)
    for old in killed.glob("done*"):
        for path in sorted(old.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        old.rmdir()
    assert results(killed) == results(whole)
