"""Manifests: what the files of a finished result were when they were written, so that a later change is found."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from glioma_os.errors import IntegrityError
from glioma_os.volumes.atomic import sha256_file, sha256_json

FILES = "files"  # the manifest's key in the JSON file that holds it
SEAL = "sha256"  # of everything else in that file
NOT_RESULTS = ("wandb", "mlruns", "lightning_logs", "checkpoints")  # trackers add to theirs after the end
REMEDY = "Restore the file from a copy, or delete {folder} and run the same command again"
REMEDIES = {"report.html": "Run the same command with stage=report, which writes it again"}


def results(folder: Path, without: Iterable[str] = ()) -> list[str]:
    """The files under a folder that are results: no hidden ones, no tracker's."""
    left_out = {*NOT_RESULTS, *without}
    found = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    return sorted(
        str(path)
        for path in found
        if path.parts[0] not in left_out and not any(part.startswith(".") for part in path.parts)
    )


def entries(folder: Path, names: Iterable[str]) -> dict[str, list[Any]]:
    """Name → sha256, size in bytes, time of the last change in ns."""
    out = {}
    for name in names:
        status = (folder / name).stat()
        out[name] = [sha256_file(folder / name), status.st_size, status.st_mtime_ns]
    return out


def seal(content: dict[str, Any]) -> bytes:
    """The JSON file of a manifest, with the sha256 of its own content in it."""
    return json.dumps(content | {SEAL: _seal(content)}, indent=1).encode()


def _seal(content: dict[str, Any]) -> str:
    unsealed = {name: value for name, value in content.items() if name != SEAL}
    return sha256_json(unsealed)


def read(path: Path) -> dict[str, Any] | None:
    """The JSON file that holds a manifest; None where there is none, or one of a version that kept no manifest.

    One that was changed after it was written is an IntegrityError.
    """
    remedy = REMEDY.format(folder=path.parent)
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as fault:
        raise IntegrityError(path, f"unreadable ({fault})", remedy) from fault
    if not isinstance(content, dict):
        raise IntegrityError(path, f"{type(content).__name__} found → a manifest expected", remedy)
    if SEAL not in content and FILES not in content:
        return None
    if content.get(SEAL) != _seal(content):
        raise IntegrityError(path, "changed since it was written: its own sha256 differs", remedy)
    return content


def check(folder: Path, files: Any, whole: bool, without: Iterable[str] = (), remedy: str | None = None) -> None:
    """A file that is missing or not as it was written is an IntegrityError that names it.

    Size and time are compared first; the content where they differ, or where `whole` is asked for.
    """
    left_out, remedy = set(without), remedy or REMEDY.format(folder=folder)
    try:
        listed = {str(name): (str(sha), int(size), int(time)) for name, (sha, size, time) in files.items()}
    except (AttributeError, TypeError, ValueError) as fault:
        raise IntegrityError(folder, f"no readable manifest found ({fault})", remedy) from fault
    for name, (sha, size, time) in listed.items():
        problem = "" if name in left_out else _problem(folder / name, sha, size, time, whole)
        if problem:
            raise IntegrityError(folder / name, problem, REMEDIES.get(name, remedy))


def _problem(path: Path, sha: str, size: int, time: int, whole: bool) -> str:
    try:
        status = path.stat()
    except OSError:
        return "no file found → the one that was written expected"
    if status.st_size != size:
        return f"{status.st_size} bytes found → {size}, as it was written, expected"
    if status.st_mtime_ns == time and not whole:
        return ""
    if _sha256(str(path), status.st_ino, status.st_ctime_ns) != sha:
        return "changed since it was written: its sha256 differs from the manifest's"
    return ""


@lru_cache(maxsize=4096)
def _sha256(path: str, inode: int, changed_ns: int) -> str:
    """Once a process for each state of a file; the time of the last change of its status cannot be set back."""
    return sha256_file(Path(path))
