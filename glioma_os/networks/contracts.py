"""What a segmentation network must offer so that every stage can use it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from torch import Tensor, nn


@runtime_checkable
class SegmentationNetwork(Protocol):
    """A network (B, C, D, H, W) → logits (B, 3, D, H, W) of TC, WT, ET whose encoder can be read and frozen by stage.

    `level_channels`: channels of each encoder level, shallow to deep; `divisor`: what D, H, W of its call must be a
    multiple of.
    """

    level_channels: tuple[int, ...]
    divisor: int

    def __call__(self, image: Tensor) -> Tensor:
        """Logits (B, 3, D, H, W)."""
        ...

    def whole(self, image: Tensor, decode: bool = True) -> tuple[Sequence[Tensor], Tensor | None]:
        """A whole case of any size without dropout: the encoder's maps (B, level_channels[i], D/2ⁱ, H/2ⁱ, W/2ⁱ rounded
        up), shallow to deep, the last one the latent; and the logits if `decode`."""
        ...

    def encoder_stages(self) -> list[list[nn.Module]]:
        """The encoder's modules, one list a level, shallow to deep."""
        ...

    def input_convolution(self) -> str:
        """The state-dict key of the weight (filters, C, k, k, k) that meets the input channels."""
        ...
