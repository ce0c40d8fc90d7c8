"""Where and how fits run, without Lightning: every stage's key asks for the precision."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from glioma_os.errors import EnvironmentFault

if TYPE_CHECKING:
    import torch  # imported where it is used: a finished study needs none of it
Positive = Annotated[int, Field(ge=1)]
Precision = Literal["auto", "32-true", "bf16-mixed", "16-mixed", "bf16-true", "64-true"]


@dataclass(frozen=True)
class TrainerOptions:
    """Where and how fits run. `precision` auto = bf16-mixed where the processor or GPU supports bf16, else float32.

    `devices` processes train one network together (DDP). `compile` and `activation_checkpointing` change speed and
    memory, the result only by rounding. `timeout_s`: how long a rank waits for the others. `retain_freed_memory`:
    see networks/fast.
    """

    accelerator: Literal["cpu", "gpu"] = "cpu"
    devices: Positive = 1
    precision: Precision = "auto"
    accumulate: Positive = 1
    checkpoint_every: Positive = 1
    compile: bool = False
    activation_checkpointing: bool = False
    timeout_s: Positive = 600
    retain_freed_memory: bool = True

    def __post_init__(self) -> None:
        if self.accelerator == "gpu":
            import torch

            if torch.cuda.device_count() < self.devices:
                raise EnvironmentFault(
                    "trainer=gpu", f"{torch.cuda.device_count()} GPUs found → {self.devices} expected",
                    "Use trainer=cpu",
                )  # fmt: skip

    def resolved_precision(self) -> Any:
        """The precision as Lightning names it."""
        import torch

        if self.precision != "auto":
            return self.precision
        if self.accelerator == "gpu":
            return "bf16-mixed" if torch.cuda.is_bf16_supported() else "16-mixed"
        return "bf16-mixed" if torch.cpu._is_avx512_bf16_supported() else "32-true"

    def autocast(self) -> torch.autocast:
        """The same precision for inference."""
        import torch

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
        import torch

        return torch.device("cuda" if self.accelerator == "gpu" else "cpu")
