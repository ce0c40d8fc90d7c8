"""MONAI's SegResNet in the Model-Zoo `brats_mri_segmentation` layout, with its encoder open to the other stages."""

from __future__ import annotations

from monai.networks.nets import SegResNet
from torch import Tensor, nn


class GliomaSegResNet(SegResNet):
    """83 state-dict keys and, at 16 filters and 4 channels, 4,702,227 parameters: the bundle's `model.pt` fits as is.

    `blocks_down` and `blocks_up` are residual blocks a level; the latent has 8 × `init_filters` channels at 1/8.
    """

    def __init__(
        self, channels: int, init_filters: int = 16, blocks_down: tuple[int, ...] = (1, 2, 2, 4),
        blocks_up: tuple[int, ...] = (1, 1, 1), dropout: float = 0.2,
    ) -> None:  # fmt: skip
        super().__init__(
            spatial_dims=3, init_filters=init_filters, in_channels=channels, out_channels=3,
            dropout_prob=dropout or None, blocks_down=tuple(blocks_down), blocks_up=tuple(blocks_up),
        )  # fmt: skip
        self.level_channels = tuple(init_filters * 2**level for level in range(len(blocks_down)))
        self.divisor = 2 ** (len(blocks_down) - 1)

    def levels(self, image: Tensor) -> list[Tensor]:
        """The encoder's maps, shallow to deep, at 1, 1/2, 1/4 and 1/8."""
        _, maps = self.encode(image)
        return maps

    def decode_levels(self, levels: list[Tensor]) -> Tensor:
        """Logits (B, 3, D, H, W)."""
        return self.decode(levels[-1], levels[::-1])

    def encoder_stages(self) -> list[list[nn.Module]]:
        """Input convolution and first level together, then one level each."""
        first, *deeper = self.down_layers
        return [[self.convInit, first], *[[stage] for stage in deeper]]

    def input_convolution(self) -> str:
        """Its key in the state dict."""
        return "convInit.conv.weight"
