"""One directory a run, named by what the run depends on: the same inputs find the same directory, done already."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glioma_os.errors import EnvironmentFault, IntegrityError
from glioma_os.volumes.atomic import atomic_write

DONE, WEIGHTS = "DONE", "weights.safetensors"


def digest(value: Any) -> str:
    """12 hex digits of a JSON-able value's sha256, independent of key order."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Run:
    """`runs/<stage>/<name>/<digest>-s<seed>/`. `DONE` is written last, so its presence means whole."""

    root: Path
    stage: str
    name: str
    key: dict[str, Any]
    seed: int

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
        """Whether it was finished before."""
        return (self.folder / DONE).exists()

    def path(self, name: str) -> Path:
        """A file of the run."""
        return self.folder / name

    @contextlib.contextmanager
    def writing(self) -> Iterator[bool]:
        """Holds the run's lock; yields True if there is work to do, False if it is done (perhaps by another process
        that held the lock meanwhile). `DONE` is written when the block ends without an error."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = (self.folder / ".lock").open("w")
        except OSError as fault:
            raise EnvironmentFault(self.folder, f"cannot be written ({fault.strerror})", "Set paths.runs") from fault
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self.done:
                yield False
                return
            self.write_json("key.json", {"stage": self.stage, "seed": self.seed, "key": self.key})
            start = time.monotonic()
            yield True
            self.write_json(DONE, {"id": self.id, "seconds": round(time.monotonic() - start, 2)})

    def write_json(self, name: str, value: Any) -> None:
        """Writes a JSON file whole."""
        atomic_write(self.path(name), json.dumps(value, indent=1, default=str).encode())

    def read_json(self, name: str) -> Any:
        """Reads one of its JSON files; a damaged one is an IntegrityError."""
        try:
            return json.loads(self.path(name).read_text())
        except (OSError, ValueError) as fault:
            raise IntegrityError(self.path(name), f"unreadable ({fault})", "Delete the run folder and rerun") from fault

    def sweep_drafts(self) -> None:
        """Removes what a killed writer left."""
        for draft in self.folder.rglob(".*.tmp"):
            with contextlib.suppress(OSError):
                os.unlink(draft)
