"""Where and how fits run, without Lightning: every stage's key asks for the precision."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch

from glioma_os.errors import ConfigError, EnvironmentFault


@dataclass(frozen=True)
class TrainerOptions:
    """Where and how fits run. `precision` auto = bf16-mixed where the processor or GPU knows bf16, else float32.

    `devices` processes train one network together (DDP). `compile` and `activation_checkpointing` change speed and
    memory, not what is learnt. `timeout_s`: how long a rank waits for the others. `keep_pages`: see networks/fast.
    """

    accelerator: str = "cpu"
    devices: int = 1
    precision: str = "auto"
    accumulate: int = 1
    checkpoint_every: int = 1
    compile: bool = False
    activation_checkpointing: bool = False
    timeout_s: int = 600
    keep_pages: bool = True

    def __post_init__(self) -> None:
        if self.accelerator not in ("cpu", "gpu"):
            raise ConfigError("trainer.accelerator", f"{self.accelerator!r} found → cpu or gpu expected", "Correct it")
        for name in ("devices", "accumulate", "checkpoint_every", "timeout_s"):
            if getattr(self, name) < 1:
                raise ConfigError(f"trainer.{name}", f"{getattr(self, name)} found → 1 or more expected", "Raise it")
        if self.accelerator == "gpu" and torch.cuda.device_count() < self.devices:
            raise EnvironmentFault(
                "trainer=gpu", f"{torch.cuda.device_count()} GPUs found → {self.devices} expected", "Use trainer=cpu"
            )

    def resolved_precision(self) -> Any:
        """A precision Lightning knows."""
        if self.precision != "auto":
            return self.precision
        if self.accelerator == "gpu":
            return "bf16-mixed" if torch.cuda.is_bf16_supported() else "16-mixed"
        return "bf16-mixed" if torch.cpu._is_avx512_bf16_supported() else "32-true"

    def autocast(self) -> torch.autocast:
        """The same precision for inference."""
        mixed = self.resolved_precision() in ("bf16-mixed", "16-mixed")
        kind = torch.float16 if self.resolved_precision() == "16-mixed" else torch.bfloat16
        return torch.autocast("cuda" if self.accelerator == "gpu" else "cpu", kind, enabled=mixed)

    def strategy(self) -> Any:
        """One process, or as many as torchrun started."""
        if self.devices == 1:
            return "auto"
        from lightning.pytorch.strategies import DDPStrategy

        return DDPStrategy(timeout=timedelta(seconds=self.timeout_s), gradient_as_bucket_view=True)

    def device(self) -> torch.device:
        """Where inference runs."""
        return torch.device("cuda" if self.accelerator == "gpu" else "cpu")
