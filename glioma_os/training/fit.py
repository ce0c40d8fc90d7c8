"""One segmenter fit from start, or from where it was killed, to a weights file."""

from __future__ import annotations

import logging
import shutil
import warnings
from dataclasses import dataclass
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from safetensors.torch import save

from glioma_os.data.segmentation import SegmentationDataModule
from glioma_os.errors import ConfigError, EnvironmentFault
from glioma_os.modules.segmenter import SegmenterModule
from glioma_os.training.callbacks import FiniteGuard, FitProgress
from glioma_os.training.checkpoint import AtomicCheckpointIO
from glioma_os.training.run import Run
from glioma_os.training.trackers import build_loggers
from glioma_os.volumes.atomic import atomic_write

WEIGHTS = "weights.safetensors"


@dataclass(frozen=True)
class TrainerOptions:
    """Where and how fits run. `precision` auto = bf16-mixed where the processor or GPU knows bf16, else float32."""

    accelerator: str = "cpu"
    devices: int = 1
    precision: str = "auto"
    threads: int | None = None
    accumulate: int = 1
    checkpoint_every: int = 1

    def __post_init__(self) -> None:
        if self.accelerator not in ("cpu", "gpu"):
            raise ConfigError("trainer.accelerator", f"{self.accelerator!r} found → cpu or gpu expected", "Correct it")
        if self.accumulate < 1 or self.checkpoint_every < 1:
            raise ConfigError("trainer", "accumulate and checkpoint_every must be 1 or more", "Correct it")
        if self.devices != 1:
            # Several ranks would wait for each other at the run directory's lock.
            raise ConfigError(
                "trainer.devices", f"{self.devices} found → 1 expected", "Run settings side by side instead"
            )
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

    def device(self) -> torch.device:
        """Where inference runs."""
        return torch.device("cuda" if self.accelerator == "gpu" else "cpu")


def quiet_lightning() -> None:
    """Lightning's banners and its advice on worker processes, which here cost more than they bring."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*number of training batches.*is smaller than the logging interval.*")
    warnings.filterwarnings("ignore", message=".*Checkpoint directory .* exists and is not empty.*")  # a resumed run's
    warnings.filterwarnings("ignore", message=".*isinstance\\(treespec, LeafSpec\\).*")


def fit_segmenter(
    module: SegmenterModule, data: SegmentationDataModule, run: Run, options: TrainerOptions, epochs: int,
    logger: dict[str, Any], title: str,
) -> None:  # fmt: skip
    """Fits and writes `weights.safetensors`; goes on from `checkpoints/last.ckpt` if a killed run left one."""
    quiet_lightning()
    checkpoints = run.path("checkpoints")
    last = checkpoints / "last.ckpt"
    trainer = pl.Trainer(
        accelerator=options.accelerator,
        devices=options.devices,
        precision=options.resolved_precision(),
        max_epochs=epochs,
        accumulate_grad_batches=options.accumulate,
        reload_dataloaders_every_n_epochs=1,
        logger=build_loggers(folder=run.folder, job_type=run.stage, **logger),
        callbacks=[
            FiniteGuard(),
            FitProgress(title),
            ModelCheckpoint(
                checkpoints,
                "last",
                save_top_k=1,
                every_n_epochs=options.checkpoint_every,
                save_on_train_epoch_end=True,
                enable_version_counter=False,
            ),
        ],
        plugins=[AtomicCheckpointIO()],
        log_every_n_steps=10,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        gradient_clip_val=1.0,
    )
    trainer.fit(module, data, ckpt_path=str(last) if last.exists() else None)
    if trainer.interrupted:
        raise KeyboardInterrupt
    module.network.eval()
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in module.network.state_dict().items()}
    atomic_write(run.path(WEIGHTS), save(state))
    shutil.rmtree(checkpoints, ignore_errors=True)
