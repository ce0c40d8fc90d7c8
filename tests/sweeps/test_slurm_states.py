"""Jobs that a SLURM queue ends by itself; its commands are scripts that answer as those of SLURM 22.05 do."""

import json
import sys

import pytest

from glioma_os.sweeps import slurm
from glioma_os.sweeps.jobs import Job, Pool, run_jobs
from glioma_os.sweeps.slurm import Queue

# sbatch runs the script at once, or ends it in the state of its line in `modes`; `queue/ID` is what squeue shows.
SBATCH = """#!/bin/sh
id=$(($(cat {root}/next 2>/dev/null || echo 0) + 1)); echo $id > {root}/next
for last in "$@"; do :; done
cp "$last" {root}/script.$id
mode=$(sed -n "${{id}}p" {root}/modes)
export SLURM_JOB_ID=$id SLURM_JOBID=$id SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_NODEID=0 SLURM_NTASKS=1
export SLURM_JOB_NUM_NODES=1 SLURM_JOB_NODELIST=here
case "$mode" in
  run) echo RUNNING > {root}/queue/$id
       (setsid sh {root}/script.$id > {root}/output.$id 2>&1; rm {root}/queue/$id) > /dev/null 2>&1 & ;;
  refused) echo "sbatch: error: invalid partition specified: nope" >&2; exit 1 ;;
  *) echo "$mode" > {root}/ended.$id ;;
esac
echo "Submitted batch job $id"
"""
SRUN = """#!/bin/sh
while [ $# -gt 0 ]; do
  case "$1" in
    --output|--error) shift 2 ;;
    -*) shift ;;
    *) break ;;
  esac
done
exec "$@"
"""
SCONTROL = """#!/bin/sh
for last in "$@"; do :; done
[ -f {root}/ended.$last ] || {{ echo "slurm_load_jobs error: Invalid job id specified" >&2; exit 1; }}
echo "JobId=$last JobName=submitit JobState=$(cat {root}/ended.$last) Reason=None Dependency=(null)"
"""
SACCT = "#!/bin/sh\necho 'Slurm accounting storage is disabled' >&2\nexit 1\n"
SQUEUE = '#!/bin/sh\nfor f in {root}/queue/*; do [ -e $f ] && echo "$(basename $f)|$(cat $f)"; done; exit 0\n'
SCANCEL = '#!/bin/sh\necho "$@" >> {root}/cancelled\n'

PROGRAM = """
import json, os, pathlib, sys
if sys.argv[1] == "kill":
    os.kill(os.getpid(), 9)
print("threads", os.environ.get("OMP_NUM_THREADS"), flush=True)
told = {"key": "k", "threads": os.environ.get("OMP_NUM_THREADS")}
pathlib.Path(os.environ["GLIOMA_OS_JOB"], "result.json").write_text(json.dumps(told))
"""


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """Makes a queue whose n-th job meets the n-th of `modes`: run, refused, or the state in which SLURM ends it."""
    tools = tmp_path / "bin"
    tools.mkdir()
    (tmp_path / "queue").mkdir()
    for name, text in (("sbatch", SBATCH), ("srun", SRUN), ("scontrol", SCONTROL), ("sacct", SACCT),
                       ("squeue", SQUEUE), ("scancel", SCANCEL)):  # fmt: skip
        (tools / name).write_text(text.format(root=tmp_path))
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    monkeypatch.setattr(slurm, "ASKED_EVERY_S", 0.2)
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)

    def run(modes, words=(), pool=None, **options):
        (tmp_path / "modes").write_text("\n".join(modes) + "\n")
        queue = Queue("slurm", tmp_path, {"timeout_min": 2, **options})
        words = words or ["good"] * len(modes)
        jobs = [Job(k, tmp_path / f"job{k}", (word,)) for k, word in enumerate(words)]
        return run_jobs(jobs, pool or Pool(8), lambda o: None, (sys.executable, str(program)), queue.start)

    return run


@pytest.mark.parametrize("ending", ["CANCELLED", "NODE_FAIL", "OUT_OF_MEMORY", "TIMEOUT"])
def test_a_job_that_ends_before_its_first_line_fails_alone(cluster, tmp_path, ending):
    good, lost, last = cluster(["run", ending, "run"])
    assert good.done and last.done
    assert (lost.status, lost.code) == ("failed", 1) and ending in lost.said
    assert "without an exit code" in lost.said and "its log is empty" in lost.said
    assert not (tmp_path / "cancelled").exists(), "no job is cancelled that ended by itself"
    assert json.loads((tmp_path / "job1/job.json").read_text())["status"] == "failed"


def test_without_any_memory_of_the_job_it_still_ends(cluster, tmp_path):
    (tmp_path / "bin/scontrol").write_text("#!/bin/sh\nexit 1\n")
    (lost,) = cluster(["FORGOTTEN"])
    assert "no longer in the queue" in lost.said


def test_a_waiting_job_is_waited_for(cluster, tmp_path):
    (tmp_path / "queue/1").write_text("PENDING")
    (outcome,) = cluster(["CANCELLED"], pool=Pool(1, time_limit_s=3.0))
    assert outcome.status == "out of time"
    assert (tmp_path / "cancelled").read_text().split() == ["1"]


def test_a_job_that_sbatch_refuses_fails_alone_with_what_it_said(cluster):
    refused, good = cluster(["refused", "run"])
    assert refused.status == "failed" and "invalid partition" in refused.said and good.done


def test_a_queued_job_has_the_threads_it_asks_for(cluster):
    (outcome,) = cluster(["run"], pool=Pool(100), cpus_per_task=4)
    assert outcome.result["threads"] == "4"


def test_a_job_that_was_killed_says_by_what(cluster):
    (outcome,) = cluster(["run"], words=["kill"])
    assert outcome.code == -9 and "SIGKILL" in outcome.said and "memory" in outcome.said
