"""One directory a run, named by what the run depends on: the same inputs find the same directory, done already."""

from __future__ import annotations

import contextlib
import fcntl
import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glioma_os.errors import EnvironmentFault, IntegrityError
from glioma_os.volumes import manifest
from glioma_os.volumes.atomic import PRIVATE, atomic_write, sha256_json, sweep_drafts

DONE, WEIGHTS = "DONE", "weights.safetensors"


def digest(value: Any) -> str:
    """12 hex digits of a JSON-able value's sha256, independent of key order."""
    return sha256_json(value)[:12]


def check_finished(folder: Path, whole: bool, without: Iterable[str] = ()) -> dict[str, Any] | None:
    """What `DONE` says of a finished run, None if it is not finished (or of a version that kept no manifest).

    A result file that is missing or changed since is an IntegrityError; `whole` compares every byte.
    """
    record = manifest.read(folder / DONE)
    if record is not None:
        manifest.check(folder, record[manifest.FILES], whole, without)
    return record


@dataclass(frozen=True)
class Run:
    """`runs/<stage>/<name>/<digest>-s<seed>/`. `DONE` is written last, so its presence means complete; it holds the
    manifest of the other files, which is checked when the run is read: every byte of them if `whole`."""

    root: Path
    stage: str
    name: str
    key: dict[str, Any]
    seed: int
    whole: bool = False

    @property
    def id(self) -> str:
        """Digest of what the run depends on."""
        return digest([self.stage, self.key, self.seed])

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return self.root / self.stage / self.name / f"{self.id}-s{self.seed}"

    @property
    def done(self) -> bool:
        """Whether it was finished before; a result file that is missing or changed since is an IntegrityError."""
        return self.finished()

    def finished(self, without: Iterable[str] = ()) -> bool:
        """The same, whatever became of the files named."""
        record = check_finished(self.folder, self.whole, without)
        if record is not None and record.get("id") != self.id:
            raise IntegrityError(
                self.path(DONE), f"run {record.get('id')!r} found → {self.id!r} expected",
                manifest.REMEDY.format(folder=self.folder),
            )  # fmt: skip
        return record is not None

    def path(self, name: str) -> Path:
        """A file of the run."""
        return self.folder / name

    @contextlib.contextmanager
    def writing(self) -> Iterator[bool]:
        """Holds the run's lock; yields True if there is work to do, False if it is done (perhaps by another process
        that held the lock meanwhile). `DONE` is written when the block ends without an error."""
        with self._lock():
            if self.done:
                yield False
                return
            self.path(DONE).unlink(missing_ok=True)
            sweep_drafts(self.folder)
            self.write_json("key.json", {"stage": self.stage, "seed": self.seed, "key": self.key})
            start = time.monotonic()
            yield True
            files = manifest.entries(self.folder, manifest.results(self.folder, [DONE]))
            self._seal({"id": self.id, "seconds": round(time.monotonic() - start, 2), manifest.FILES: files})

    def amend(self, names: Iterable[str]) -> None:
        """Takes files that a finished run was given later into its manifest."""
        with self._lock():
            record = manifest.read(self.path(DONE))
            if record is not None:
                self._seal(record | {manifest.FILES: record[manifest.FILES] | manifest.entries(self.folder, names)})

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = (self.folder / ".lock").open("w")
        except OSError as fault:
            raise EnvironmentFault(self.folder, f"cannot be written ({fault.strerror})", "Set paths.runs") from fault
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _seal(self, record: dict[str, Any]) -> None:
        atomic_write(self.path(DONE), manifest.seal(record))

    def write_json(self, name: str, value: Any) -> None:
        """Writes a JSON file atomically, readable by its owner alone: many of them list patients."""
        atomic_write(self.path(name), json.dumps(value, indent=1, default=str).encode(), PRIVATE)

    def read_json(self, name: str) -> Any:
        """Reads one of its JSON files; a damaged one is an IntegrityError."""
        try:
            return json.loads(self.path(name).read_text())
        except (OSError, ValueError) as fault:
            raise IntegrityError(self.path(name), f"unreadable ({fault})", "Delete the run folder and rerun") from fault
