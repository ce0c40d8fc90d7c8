"""The queue's way, on submitit's local cluster, and what sbatch would be given."""

import stat
import sys

import pytest

from glioma_os.errors import EnvironmentFault
from glioma_os.sweeps.jobs import Job, Pool, run_jobs
from glioma_os.sweeps.slurm import Queue, Remote

PROGRAM = """
import json, os, pathlib, sys
print("began", sys.argv[1])
if sys.argv[1] == "bad":
    sys.exit(6)
pathlib.Path(os.environ["GLIOMA_OS_JOB"], "result.json").write_text(json.dumps({"key": "k"}))
"""


@pytest.fixture
def program(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    return (sys.executable, str(tmp_path / "program.py"))


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # submitit's local executor leaves its processes to be reaped
def test_jobs_through_a_queue_end_as_local_ones_do(tmp_path, program):
    queue = Queue("local", tmp_path, {"timeout_min": 2})
    jobs = [Job(k, tmp_path / f"job{k}", (word,)) for k, word in enumerate(("good", "bad"))]
    good, bad = run_jobs(jobs, Pool(2), lambda o: None, program, queue.start)
    assert good.done and good.result == {"key": "k"}
    assert (bad.status, bad.code) == ("failed", 6) and "began bad" in bad.said


def test_a_job_that_is_taken_away_is_queued_again_as_it_was():
    remote = Remote(("python", "-m", "glioma_os", "seed=1"), "job.log", {"GLIOMA_OS_JOB": "folder"})
    again = remote.checkpoint()
    assert again.function is remote and not again.args and not again.kwargs


def test_sbatch_is_given_what_the_configuration_says(tmp_path, monkeypatch, program):
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, says in (("sbatch", "Submitted batch job 7"), ("srun", ""), ("sacct", "")):
        (tools / name).write_text(
            f'#!/bin/sh\necho "$0 $@" >> {tmp_path}/calls\ncp "$1" {tmp_path}/given 2>/dev/null\necho {says}\n'
        )
        (tools / name).chmod((tools / name).stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    options = {
        "timeout_min": 90,
        "cpus_per_task": 4,
        "mem_gb": 16,
        "slurm_partition": "gpu",
        "slurm_signal_delay_s": 120,
    }
    queue = Queue("slurm", tmp_path, options)
    queue.start([*program, "good"], tmp_path / "job.log", {}, 2)
    given = (tmp_path / "given").read_text()
    for words in ("--partition=gpu", "--time=90", "--cpus-per-task=4", "--gpus-per-node=2", "--mem=16GB", "@120"):
        assert words in given, given
    assert "sbatch" in (tmp_path / "calls").read_text()


def test_no_cluster_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(EnvironmentFault, match="sbatch"):
        Queue("slurm", tmp_path, {})
