"""What Lightning and our callbacks add to a step: tiny steps of the whole network in a fit, and in a bare loop."""

import itertools
import tempfile
from pathlib import Path

import lightning.pytorch as pl
import torch
from monai.losses import DiceLoss
from network_arms import our_network

from glioma_os.modules.segmenter import SegmenterModule
from glioma_os.modules.transfer import Full
from glioma_os.networks.fast.memory_retention import retain_freed_memory
from glioma_os.records import SegmentationBatch
from glioma_os.training.fit import fit_segmenter
from glioma_os.training.options import TrainerOptions
from glioma_os.training.run import Run
from glioma_os.training.trackers import CurveLogger

STEPS, SIZE = 60, 24  # steps of an epoch; 24³: Adam on 4.7 million parameters is much of it


def _batch():
    torch.manual_seed(0)
    image, regions = torch.randn(1, 4, SIZE, SIZE, SIZE), torch.rand(1, 3, SIZE, SIZE, SIZE) < 0.1
    return SegmentationBatch(image, regions.to(torch.uint8), ["case"])


class _Steps:
    def __len__(self):
        return STEPS

    def __iter__(self):
        return itertools.repeat(_batch(), STEPS)


class _SameBatch(pl.LightningDataModule):
    def train_dataloader(self):
        return _Steps()

    def transfer_batch_to_device(self, batch, device, index):
        return batch


def lightning_fit():
    """An epoch with curves, progress, guards and the checkpoint at its end."""
    retain_freed_memory()

    def arm():
        with tempfile.TemporaryDirectory() as folder:
            run = Run(Path(folder), "pretrain", "bench", {}, 0)
            module = SegmenterModule(our_network(), DiceLoss(sigmoid=True, squared_pred=True), Full())
            fit_segmenter(module, _SameBatch(), run, TrainerOptions(), 1, [CurveLogger(run.folder)], "bench")

    return arm


def bare_loop():
    """Clipping and the learning rate's schedule belong to the recipe, so they are here too."""
    retain_freed_memory()
    objective = DiceLoss(sigmoid=True, squared_pred=True)

    def arm():
        network = our_network().train()
        optimizer = torch.optim.AdamW(network.parameters(), 1e-4)
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
        for image, regions, _ in _Steps():
            optimizer.zero_grad()
            with TrainerOptions().autocast():
                logits = network(image)
            objective(logits.float(), regions.float()).backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            scheduler.step()

    return arm
