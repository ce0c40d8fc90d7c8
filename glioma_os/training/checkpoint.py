"""Checkpoints that are whole or absent: Lightning's own writer moves from $TMPDIR, which a kill can tear."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from glioma_os.errors import IntegrityError
from glioma_os.volumes.atomic import atomic_write


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes beside the target, flushes, renames; reads tensors and plain values only."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Serialises into memory, then one atomic write."""
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        atomic_write(Path(path), buffer.getvalue())

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = True) -> dict[str, Any]:
        """Loads with weights_only; a damaged file says how to go on."""
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, OSError, ValueError) as fault:
            raise IntegrityError(path, f"damaged checkpoint ({fault})", "Delete the run folder and rerun") from fault
