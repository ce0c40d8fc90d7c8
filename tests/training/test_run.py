import multiprocessing
import time

import pytest

from glioma_os.errors import IntegrityError
from glioma_os.training.run import Run


def run_of(root, **key):
    return Run(root, "stage", "name", key, 3)


def test_a_run_is_found_by_what_it_depends_on(tmp_path):
    assert run_of(tmp_path, a=1, b=2).folder == run_of(tmp_path, b=2, a=1).folder
    assert run_of(tmp_path, a=1).folder != run_of(tmp_path, a=2).folder
    assert run_of(tmp_path, a=1).folder.name.endswith("-s3")


def test_done_is_written_last_and_only_then(tmp_path):
    run = run_of(tmp_path)
    with pytest.raises(RuntimeError), run.writing() as todo:
        assert todo and not run.done
        raise RuntimeError
    assert not run.done
    with run.writing() as todo:
        assert todo
    assert run.done
    with run.writing() as todo:
        assert not todo


def count(root, log):
    with run_of(root).writing() as todo:
        if todo:
            time.sleep(0.2)
            with open(log, "a") as file:
                file.write("x")


def test_two_processes_do_the_work_once(tmp_path):
    workers = [multiprocessing.Process(target=count, args=(tmp_path, tmp_path / "log")) for _ in range(3)]
    [worker.start() for worker in workers]
    [worker.join() for worker in workers]
    assert (tmp_path / "log").read_text() == "x"


def test_damaged_json_is_named(tmp_path):
    run = run_of(tmp_path)
    run.write_json("a.json", {"x": 1})
    assert run.read_json("a.json") == {"x": 1}
    run.path("a.json").write_text("{")
    with pytest.raises(IntegrityError, match=r"a\.json"):
        run.read_json("a.json")
