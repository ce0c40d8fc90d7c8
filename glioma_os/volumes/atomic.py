"""Files that are whole or absent."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path

from glioma_os.errors import EnvironmentFault


def atomic_write(path: Path, data: bytes) -> None:
    """Writes beside the target, flushes to the disk, renames; on an error nothing is left and the old file stays.

    A full disk or a missing permission is an EnvironmentFault.
    """
    draft = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(prefix=f".{path.name}-", suffix=".tmp", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(draft, 0o644)
        os.replace(draft, path)
    except OSError as fault:
        raise EnvironmentFault(
            path, f"cannot be written ({fault.strerror})", "Free the disk or choose another"
        ) from fault
    finally:
        if draft is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(draft)


def sha256_file(path: Path) -> str:
    """Hex sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
