"""Children end with their parents, and SLURM's signal puts a job back."""

import os
import signal
import stat
import subprocess
import sys
import time

import pytest

from glioma_os.training.processes import GROUP_VARIABLES, child_environment, start, stop

WAITS = "import time; print('ready', flush=True); time.sleep(60)"


def ready(log):
    while "ready" not in (log.read_text() if log.exists() else ""):
        time.sleep(0.02)


def test_a_child_forms_no_part_of_its_parents_group(monkeypatch):
    for name in GROUP_VARIABLES:
        monkeypatch.setenv(name, "1")
    found = child_environment(OMP_NUM_THREADS="2")
    assert not set(GROUP_VARIABLES) & set(found) and found["OMP_NUM_THREADS"] == "2" and "PATH" in found


def test_what_does_not_hear_is_killed(tmp_path):
    deaf = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {WAITS}"
    process = start([sys.executable, "-c", deaf], tmp_path / "log", os.environ)
    ready(tmp_path / "log")
    stop(process, grace_s=0.5)
    assert process.returncode == -signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells a child of its parent's end")
def test_a_child_ends_when_its_parent_is_killed(tmp_path):
    child = f"from glioma_os.training.processes import die_with_parent; die_with_parent(); {WAITS}"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    process = start([sys.executable, "-c", parent], tmp_path / "log", os.environ)
    ready(tmp_path / "log")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("the child goes on")


@pytest.mark.parametrize(("inside", "calls"), [(True, "requeue 17\n"), (False, "")])
def test_slurms_signal_puts_the_job_back_and_ends_it(tmp_path, inside, calls):
    tool = tmp_path / "scontrol"
    tool.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n')
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    code = f"from glioma_os.training.processes import exit_on_signals; exit_on_signals(); {WAITS}"
    environment = {k: v for k, v in os.environ.items() if k != "SLURM_JOB_ID"} | {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    process = subprocess.Popen(
        [sys.executable, "-c", code], env=environment | ({"SLURM_JOB_ID": "17"} if inside else {}),
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGUSR1)
    assert process.wait(timeout=20) == 143
    process.stdout.close()
    assert ((tmp_path / "calls").read_text() if (tmp_path / "calls").exists() else "") == calls
