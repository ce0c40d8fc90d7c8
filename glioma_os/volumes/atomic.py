"""Atomic writes: a file is complete or absent."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from glioma_os.errors import EnvironmentFault

DRAFT = ".tmp"
PRIVATE, PUBLIC = 0o600, 0o644


@contextlib.contextmanager
def draft_beside(path: Path, folder: bool = False) -> Iterator[Path]:
    """A new file or folder beside `path` to write into; what is left of it at the end is removed.

    The writer holds a lock on it, which ends with the writer: `sweep_drafts` removes what no writer holds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        if folder:
            draft = Path(tempfile.mkdtemp(prefix=f".{path.name}-", suffix=DRAFT, dir=path.parent))
            handle = os.open(draft, os.O_RDONLY)
        else:
            handle, name = tempfile.mkstemp(prefix=f".{path.name}-", suffix=DRAFT, dir=path.parent)
            draft = Path(name)
        with contextlib.suppress(OSError):  # a disk without locks: then nobody sweeps either
            fcntl.flock(handle, fcntl.LOCK_EX)
        if draft.exists():
            break
        os.close(handle)  # swept between its making and its locking
    try:
        yield draft
    finally:
        _remove(draft)
        os.close(handle)


def atomic_write(path: Path, data: bytes, mode: int = PUBLIC) -> None:
    """Writes beside the target, flushes to the disk, renames; on an error nothing is left and the old file stays.

    `mode` PRIVATE where the file names patients. A full disk or a missing permission is an EnvironmentFault.
    """
    try:
        with draft_beside(path) as draft:
            with draft.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            draft.chmod(mode)
            os.replace(draft, path)
    except OSError as fault:
        raise EnvironmentFault(
            path, f"cannot be written ({fault.strerror})", "Free the disk or choose another"
        ) from fault


def sweep_drafts(folder: Path) -> None:
    """Removes the drafts under a folder whose writer was killed."""
    for draft in folder.rglob(f".*{DRAFT}"):
        with contextlib.suppress(OSError):
            handle = os.open(draft, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(draft)
            finally:
                os.close(handle)


def _remove(draft: Path) -> None:
    if draft.is_dir():
        shutil.rmtree(draft, ignore_errors=True)
    else:
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()


def sha256_json(value: Any) -> str:
    """Hex sha256 of a JSON-able value, whatever the order of its keys; what JSON does not know counts as its text."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def sha256_file(path: Path) -> str:
    """Hex sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
