"""One segmenter fit from start, or from where it was killed, to a weights file."""

from __future__ import annotations

import logging
import shutil
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.plugins.environments import LightningEnvironment, TorchElasticEnvironment
from lightning.pytorch.strategies import DDPStrategy, Strategy
from safetensors.torch import save

from glioma_os.data.segmentation import SegmentationDataModule
from glioma_os.errors import ConfigError, EnvironmentFault
from glioma_os.modules.segmenter import SegmenterModule
from glioma_os.networks.memory import checkpoint_activations
from glioma_os.training.callbacks import FiniteGuard, FitProgress, SameConfiguration
from glioma_os.training.checkpoint import AtomicCheckpointIO
from glioma_os.training.run import Run
from glioma_os.volumes.atomic import atomic_write

WEIGHTS = "weights.safetensors"


@dataclass(frozen=True)
class TrainerOptions:
    """Where and how fits run. `precision` auto = bf16-mixed where the processor or GPU knows bf16, else float32.

    `devices` processes train one network together (DDP). `compile` and `activation_checkpointing` change speed and
    memory, not what is learnt. `timeout_s`: how long a rank waits for the others.
    """

    accelerator: str = "cpu"
    devices: int = 1
    precision: str = "auto"
    accumulate: int = 1
    checkpoint_every: int = 1
    compile: bool = False
    activation_checkpointing: bool = False
    timeout_s: int = 600

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

    def strategy(self) -> Strategy | str:
        """One process, or as many as torchrun started."""
        if self.devices == 1:
            return "auto"
        return DDPStrategy(timeout=timedelta(seconds=self.timeout_s), gradient_as_bucket_view=True)

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
    loggers: Sequence[Logger], title: str,
) -> None:  # fmt: skip
    """Fits and writes `weights.safetensors`; goes on from `checkpoints/last.ckpt` if a killed run left one.

    In a gang every rank calls this; rank 0 alone writes.
    """
    quiet_lightning()
    checkpoints = run.path("checkpoints")
    last = checkpoints / "last.ckpt"
    network = module.network
    assert isinstance(network, torch.nn.Module)
    if options.activation_checkpointing:
        checkpoint_activations(network)
    if options.compile:
        network.compile()
    trainer = _trainer(run, options, epochs, loggers, title)
    trainer.fit(module, data, ckpt_path=str(last) if last.exists() else None)
    if trainer.interrupted:
        raise KeyboardInterrupt
    if trainer.is_global_zero:
        state = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
        atomic_write(run.path(WEIGHTS), save(state))
        shutil.rmtree(checkpoints, ignore_errors=True)


def _trainer(run: Run, options: TrainerOptions, epochs: int, loggers: Sequence[Logger], title: str) -> pl.Trainer:
    """The environment is named, not guessed: inside a SLURM job Lightning would wait for ranks that nobody started."""
    environment = LightningEnvironment() if options.devices == 1 else TorchElasticEnvironment()
    return pl.Trainer(
        accelerator=options.accelerator,
        devices=options.devices,
        strategy=options.strategy(),
        precision=options.resolved_precision(),
        max_epochs=epochs,
        accumulate_grad_batches=options.accumulate,
        reload_dataloaders_every_n_epochs=1,
        use_distributed_sampler=False,  # EpochSampler deals the places out, and resumes
        logger=list(loggers),
        callbacks=[
            SameConfiguration(run.id),
            FiniteGuard(),
            FitProgress(title),
            ModelCheckpoint(
                run.path("checkpoints"),
                "last",
                save_top_k=1,
                every_n_epochs=options.checkpoint_every,
                save_on_train_epoch_end=True,
                enable_version_counter=False,
            ),
        ],
        plugins=[AtomicCheckpointIO(), environment],
        log_every_n_steps=10,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        gradient_clip_val=1.0,
    )
