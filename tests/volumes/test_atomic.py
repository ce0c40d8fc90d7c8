"""Drafts: whole or absent, and swept once their writer is dead."""

import multiprocessing
import os
import signal
import stat
import subprocess
import sys
import threading

import pytest

from glioma_os.errors import EnvironmentFault
from glioma_os.volumes.atomic import PRIVATE, atomic_write, draft_beside, sweep_drafts

HOLD = """
import sys, time
from pathlib import Path
from glioma_os.volumes.atomic import draft_beside
with draft_beside(Path(sys.argv[1]), folder=sys.argv[2] == "folder") as draft:
    (draft / "part" if draft.is_dir() else draft).write_text("half")
    print(draft, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_drafts_are_swept_once_their_writer_is_killed_and_not_before(tmp_path, kind):
    target = tmp_path / "deep" / "brats20xx-1"
    with subprocess.Popen([sys.executable, "-c", HOLD, target, kind], stdout=subprocess.PIPE, text=True) as writer:
        draft = writer.stdout.readline().strip()
        sweep_drafts(tmp_path)
        assert os.path.exists(draft)
        writer.send_signal(signal.SIGKILL)
    assert os.path.exists(draft)
    sweep_drafts(tmp_path)
    assert not os.path.exists(draft) and not list(target.parent.iterdir())


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "x").write_text("kept")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / ".a.tmp").symlink_to(tmp_path / "outside")
    sweep_drafts(tmp_path / "in")
    assert (tmp_path / "outside" / "x").read_text() == "kept"


def test_a_file_is_private_from_its_first_byte(tmp_path, monkeypatch):
    modes = []
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda a, b: (modes.append(stat.S_IMODE(os.stat(a).st_mode)), replace(a, b)))
    with draft_beside(tmp_path / "x") as draft:
        assert stat.S_IMODE(draft.stat().st_mode) == 0o600
    atomic_write(tmp_path / "a", b"x", PRIVATE)
    atomic_write(tmp_path / "b", b"x")
    assert modes == [0o600, 0o644]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    atomic_write(tmp_path / "a", b"old")

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(EnvironmentFault, match="space"):
        atomic_write(tmp_path / "a", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["a"] and (tmp_path / "a").read_bytes() == b"old"


def _write_many(folder):
    for k in range(200):
        atomic_write(folder / "x", f"{k:03d}".encode() * 1000)


def test_writers_and_sweepers_do_not_disturb_each_other(tmp_path):
    writers = [multiprocessing.get_context("spawn").Process(target=_write_many, args=(tmp_path,)) for _ in range(2)]
    for writer in writers:
        writer.start()
    ended = threading.Event()

    def sweep():
        while not ended.is_set():
            sweep_drafts(tmp_path)

    sweeper = threading.Thread(target=sweep)
    sweeper.start()
    for writer in writers:
        writer.join()
    ended.set()
    sweeper.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert [path.name for path in tmp_path.iterdir()] == ["x"] and len((tmp_path / "x").read_bytes()) == 3000
