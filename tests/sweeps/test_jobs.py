"""Jobs fail alone, end in time, get their own GPUs, and leave no process behind."""

import json
import signal
import sys
import time
from pathlib import Path

import pytest

from glioma_os.errors import ConfigError
from glioma_os.sweeps.jobs import REPORTS, Job, LocalJob, Pool, earlier_outcome, own_words, run_jobs

PROGRAM = """
import json, os, pathlib, subprocess, sys, time
folder, how = pathlib.Path(os.environ["GLIOMA_OS_JOB"]), sys.argv[1]
print("started", how, flush=True)
tries = folder / "tries"
tries.write_text(tries.read_text() + "x" if tries.exists() else "x")
if how == "wait":
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"])
    (folder / "child").write_text(str(child.pid))
    time.sleep(120)
if how == "config":
    sys.exit(2)
if how == "second" and len(tries.read_text()) < 2:
    sys.exit("TrainingError: step 3: nan")
if how == "crash":
    os.abort()
if how == "quiet":
    sys.exit(0)
time.sleep(0.3)
result = {"key": "k", "gpus": os.environ.get("CUDA_VISIBLE_DEVICES"), "rank": os.environ.get("RANK"),
          "began": time.time() - 0.3, "ended": time.time()}
(folder / "result.json").write_text(json.dumps(result))
"""


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    return (sys.executable, str(path))


def jobs(tmp_path, *words, gpus=0):
    return [Job(k, tmp_path / f"job{k}", (word,), gpus) for k, word in enumerate(words)]


def gone(pid):
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().split()[2]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_a_job_fails_alone_and_says_why(tmp_path, program):
    heard = []
    outcomes = run_jobs(jobs(tmp_path, "fine", "crash", "quiet", "fine"), Pool(2), heard.append, program)
    assert [o.status for o in outcomes] == ["done", "failed", "failed", "done"]
    assert sorted(o.job.number for o in heard) == [0, 1, 2, 3]
    assert outcomes[1].code == -signal.SIGABRT and "started crash" in outcomes[1].said
    assert outcomes[2].code == 1, "no result is no success, whatever the exit code"
    assert json.loads((tmp_path / "job1/job.json").read_text())["status"] == "failed"


def test_jobs_form_no_part_of_a_group_they_were_started_in(tmp_path, program, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    (outcome,) = run_jobs(jobs(tmp_path, "fine"), Pool(), lambda o: None, program)
    assert outcome.result["rank"] is None


def test_retries_are_for_what_may_pass_and_not_for_words(tmp_path, program):
    again, wrong = run_jobs(jobs(tmp_path, "second", "config"), Pool(retries=2), lambda o: None, program)
    assert again.done and again.attempts == 2
    assert wrong.code == 2 and wrong.attempts == 1 and (tmp_path / "job1/tries").read_text() == "x"


def test_a_job_out_of_time_is_ended_with_its_children(tmp_path, program):
    outcomes = run_jobs(jobs(tmp_path, "wait", "fine"), Pool(2, time_limit_s=2.0), lambda o: None, program)
    assert [o.status for o in outcomes] == ["out of time", "done"]
    assert gone(int((tmp_path / "job0/child").read_text()))


def test_gpus_are_handed_out_one_job_each(tmp_path, program):
    many = jobs(tmp_path, *["fine"] * 4, gpus=1)
    outcomes = run_jobs(many, Pool(4, gpus=(3, 5)), lambda o: None, program)
    assert {o.result["gpus"] for o in outcomes} == {"3", "5"}
    for one in outcomes:
        for other in outcomes:
            if one is not other and one.result["gpus"] == other.result["gpus"]:
                assert one.result["ended"] <= other.result["began"] or other.result["ended"] <= one.result["began"]
    with pytest.raises(ConfigError, match="enough for job #0"):
        run_jobs(jobs(tmp_path, "fine", gpus=3), Pool(1, gpus=(3, 5)), lambda o: None, program)


def test_a_job_whose_reports_are_hopeless_is_ended_and_no_failure(tmp_path, program):
    heard = {}

    def hopeless(number, reports):
        heard[number] = reports
        return number == 0 and bool(reports)

    jobs_of_two = jobs(tmp_path, "wait", "fine")

    def start(command, log, environment, gpus):
        handle = LocalJob(command, log, environment, gpus)
        (log.parent / REPORTS).write_text("0.25\n0.5\n")
        return handle

    bad, good = run_jobs(jobs_of_two, Pool(2), lambda o: None, program, start, hopeless)
    assert (bad.status, bad.code, good.status) == ("pruned", 0, "done") and heard[0] == [0.25, 0.5]


def test_an_interrupt_ends_every_job(tmp_path, program):
    def interrupt(outcome):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_jobs(jobs(tmp_path, "wait", "fine"), Pool(2), interrupt, program)
    child = tmp_path / "job0/child"
    assert not child.exists() or gone(int(child.read_text()))


def test_a_done_job_is_known_while_nothing_it_depends_on_changed(tmp_path, program):
    (job,) = jobs(tmp_path, "fine")
    assert earlier_outcome(job, "k") is None
    (outcome,) = run_jobs([job], Pool(), lambda o: None, program)
    known = earlier_outcome(job, "k")
    assert known is not None and known.result == outcome.result
    assert earlier_outcome(job, "another") is None
    (job.folder / "result.json").write_text("{")
    assert earlier_outcome(job, "k") is None


def test_own_words_are_what_tells_jobs_apart(tmp_path):
    pair = [Job(0, tmp_path, ("a=1", "b=2")), Job(1, tmp_path, ("a=1", "b=3"))]
    assert [own_words(job.overrides, pair) for job in pair] == ["b=2", "b=3"]
    assert own_words(pair[0].overrides, pair[:1]) == "a=1 b=2"


@pytest.mark.parametrize("wrong", [{"n_jobs": 0}, {"retries": -1}, {"time_limit_s": 0}])
def test_a_pool_that_cannot_work_is_refused(wrong):
    with pytest.raises(ConfigError, match="hydra.launcher"):
        Pool(**wrong)
