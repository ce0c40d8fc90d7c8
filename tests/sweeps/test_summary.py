"""What `sweep.json` remembers."""

import json

import pytest
from omegaconf import OmegaConf

from glioma_os.errors import IntegrityError
from glioma_os.sweeps.collect import read_sweep
from glioma_os.sweeps.jobs import Job, Outcome
from hydra_plugins.glioma_os_launcher import ProcessLauncher


def test_jobs_of_earlier_calls_stay_in_the_summary(tmp_path):
    launcher = ProcessLauncher()
    launcher.config = OmegaConf.create({"hydra": {"sweep": {"dir": str(tmp_path)}}})

    def outcomes(*words, status="done"):
        found = []
        for number, word in enumerate(words):
            (tmp_path / word).mkdir(exist_ok=True)
            found.append(Outcome(Job(number, tmp_path / word, (f"seed={word}",)), status, result={"key": word}))
        return found

    def summary():
        return [
            (job["number"], job["folder"], job["status"]) for job in json.loads((tmp_path / "sweep.json").read_text())
        ]

    launcher._summarise(outcomes("a", "b", status="failed"))
    launcher._summarise(outcomes("b"))  # while the next call runs: one of its jobs has ended
    launcher._summarise(outcomes("b", "c"))
    assert sorted(summary(), key=lambda job: job[1]) == [(2, "a", "failed"), (0, "b", "done"), (1, "c", "done")]
    (tmp_path / "a").rmdir()
    launcher._summarise(outcomes("d"))
    assert {job[1] for job in summary()} == {"b", "c", "d"}
    assert len({job[0] for job in summary()}) == 3
    for damaged in ("{", "[1]", "null", '[{"number": 0}]'):
        (tmp_path / "sweep.json").write_text(damaged)
        with pytest.raises(IntegrityError, match="sweep.json"):
            read_sweep(tmp_path)
        launcher._summarise(outcomes("d"))
        assert [job[1] for job in summary()] == ["d"]
