"""Atomic checkpoints: Lightning's own writer moves from $TMPDIR, which a kill can interrupt halfway."""

from __future__ import annotations

import hashlib
import io
import pickle
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from glioma_os.errors import IntegrityError
from glioma_os.volumes.atomic import PRIVATE, atomic_write

RUN = "glioma_os_run"
DAMAGE = (RuntimeError, EOFError, OSError, ValueError, TypeError, LookupError, AttributeError, pickle.UnpicklingError)


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes beside the target, flushes, renames; reads tensors and plain values only, of the same run and unchanged.

    The file ends with the sha256 of what comes before: a file of its own could be one checkpoint behind.
    """

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Serialises into memory, then one atomic write."""
        buffer = io.BytesIO()
        torch.save({**checkpoint, RUN: self.run_id}, buffer)
        data = buffer.getvalue()
        atomic_write(Path(path), data + hashlib.sha256(data).digest(), PRIVATE)

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = True) -> dict[str, Any]:
        """Loads with weights_only; a damaged file, or one of another run, is an error with its remedy."""
        remedy = f"Delete {path} and run the same command again: the fit starts anew"
        try:
            data = Path(path).read_bytes()
            if hashlib.sha256(data[:-32]).digest() != data[-32:]:
                raise ValueError("its sha256 differs from the one recorded")
            found = torch.load(io.BytesIO(data[:-32]), map_location="cpu", weights_only=True)
            own = found.pop(RUN)
        except DAMAGE as fault:
            raise IntegrityError(
                path, f"damaged checkpoint ({(str(fault) or type(fault).__name__).splitlines()[0]})", remedy
            ) from fault
        if own != self.run_id:
            raise IntegrityError(path, f"a checkpoint of run {own!r} found → {self.run_id!r} expected", remedy)
        return found
