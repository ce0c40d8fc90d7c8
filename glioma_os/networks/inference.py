"""A whole prepared case through the network."""

from __future__ import annotations

import torch
from torch import Tensor

from glioma_os.networks.contracts import SegmentationNetwork
from glioma_os.networks.pooling import pooling


@torch.inference_mode()
def segment(network: SegmentationNetwork, image: Tensor) -> Tensor:
    """Region probabilities (B, 3, D, H, W) float32 of whole volumes (B, C, D, H, W) of any size."""
    _, logits = network.forward_whole_volume(image)
    assert logits is not None
    return torch.sigmoid(logits.float())


@torch.inference_mode()
def latents(network: SegmentationNetwork, image: Tensor, pooling_name: str) -> Tensor:
    """Pooled latents (B, F) float32; the decoder runs only if the pooling looks at the predicted tumour."""
    pool = pooling(pooling_name)
    levels, logits = network.forward_whole_volume(image, decode=pool.needs_tumour)
    return pool(levels, None if logits is None else torch.sigmoid(logits[:, 1:2].float()))
