"""One segmenter fit from start, or from the last checkpoint of an interrupted one, to a weights file."""

from __future__ import annotations

import logging
import shutil
import warnings
from collections.abc import Sequence

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.plugins.environments import LightningEnvironment, TorchElasticEnvironment
from lightning.pytorch.utilities import rank_zero_only

from glioma_os.data.segmentation import SegmentationDataModule
from glioma_os.modules.segmenter import SegmenterModule
from glioma_os.networks.memory import checkpoint_activations
from glioma_os.networks.weights import serialize_weights
from glioma_os.training.callbacks import CurveBeforeCheckpoint, FiniteGuard, FitProgress, SameConfiguration
from glioma_os.training.checkpoint import AtomicCheckpointIO
from glioma_os.training.options import TrainerOptions
from glioma_os.training.run import WEIGHTS, Run
from glioma_os.volumes.atomic import atomic_write


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
    """Fits and writes `weights.safetensors`; resumes from `checkpoints/last.ckpt` if an interrupted run left one.

    In a process group (DDP) every rank calls this; rank 0 alone writes.
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
    try:
        trainer.fit(module, data, ckpt_path=str(last) if last.exists() else None)
    except SystemExit as stopped:
        if trainer.interrupted and stopped.code == 1:  # how Lightning passes on a Ctrl-C
            raise KeyboardInterrupt from None
        raise
    if trainer.is_global_zero:
        atomic_write(run.path(WEIGHTS), serialize_weights(network))
        shutil.rmtree(checkpoints, ignore_errors=True)


def _trainer(run: Run, options: TrainerOptions, epochs: int, loggers: Sequence[Logger], title: str) -> pl.Trainer:
    """The environment is set explicitly: inside a SLURM job Lightning would wait for ranks that nobody started."""
    environment = LightningEnvironment() if options.devices == 1 else TorchElasticEnvironment()
    if options.devices == 1:
        # Lightning takes it from RANK or SLURM_PROCID, and the loggers of other ranks are silent.
        rank_zero_only.rank = 0  # type: ignore[attr-defined]
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
            CurveBeforeCheckpoint(),
            ModelCheckpoint(
                run.path("checkpoints"),
                "last",
                save_top_k=1,
                every_n_epochs=options.checkpoint_every,
                save_on_train_epoch_end=True,
                enable_version_counter=False,
            ),
        ],
        plugins=[AtomicCheckpointIO(run.id), environment],
        log_every_n_steps=10,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        gradient_clip_val=1.0,
    )
