"""A whole prepared case through the network: padded to what the network divides, cut back to what came in."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from glioma_os.networks.contracts import SegmentationNetwork
from glioma_os.networks.pooling import NEEDS_TUMOUR, pooling


def pad_to_divisor(image: Tensor, divisor: int) -> Tensor:
    """(B, C, D, H, W) zero-padded at the far ends to multiples of `divisor`; zero is background."""
    far = [(-size) % divisor for size in image.shape[2:]]
    return F.pad(image, (0, far[2], 0, far[1], 0, far[0]))


@torch.inference_mode()
def segment(network: SegmentationNetwork, image: Tensor) -> Tensor:
    """Region probabilities (B, 3, D, H, W) float32 of whole volumes (B, C, D, H, W) of any size."""
    d, h, w = image.shape[2:]
    _, logits = network.whole(pad_to_divisor(image, network.divisor))
    assert logits is not None
    return torch.sigmoid(logits.float())[:, :, :d, :h, :w]


@torch.inference_mode()
def latents(network: SegmentationNetwork, image: Tensor, pooling_name: str) -> Tensor:
    """Pooled latents (B, F) float32; the decoder runs only if the pooling looks at the predicted tumour."""
    levels, logits = network.whole(pad_to_divisor(image, network.divisor), decode=pooling_name in NEEDS_TUMOUR)
    tumour = None if logits is None else torch.sigmoid(logits[:, 1:2].float())
    return pooling(pooling_name)(levels, tumour)
