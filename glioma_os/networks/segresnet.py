"""MONAI's SegResNet in the Model-Zoo `brats_mri_segmentation` layout, with its encoder open to the other stages."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.networks.nets import SegResNet
from torch import Tensor, nn

from glioma_os.errors import ConfigError
from glioma_os.networks.fast.convolution import use_slab_convolutions
from glioma_os.networks.fast.group_norm import GROUP_NORM
from glioma_os.networks.fast.normalization_volume import forward_in_volume
from glioma_os.networks.padding import crop_maps, pad_to_multiple


class GliomaSegResNet(SegResNet):
    """83 state-dict keys and, at 16 filters and 4 channels, 4,702,227 parameters: the bundle's `model.pt` fits as is.

    `blocks_down` and `blocks_up` are residual blocks a level; the latent has 8 × `init_filters` channels at 1/8.
    `normalization_volume`: (D, H, W) voxels of the volumes the network is trained on, where they are larger than the
    brain box: whole cases are computed on their box alone, with GroupNorm's statistics as in a volume of that size.
    None = of the box.
    `channels_last`: the layout of tensors in memory; results differ by rounding.
    """

    def __init__(
        self, channels: int, init_filters: int = 16, blocks_down: tuple[int, ...] = (1, 2, 2, 4),
        blocks_up: tuple[int, ...] = (1, 1, 1), dropout: float = 0.2,
        normalization_volume: Sequence[int] | None = None, channels_last: bool = True,
    ) -> None:  # fmt: skip
        if len(blocks_up) != len(blocks_down) - 1:
            raise ConfigError(
                "network.blocks_up", f"{list(blocks_up)} found → one entry less than blocks_down, {list(blocks_down)}, "
                "expected", "Correct the value",
            )  # fmt: skip
        super().__init__(
            spatial_dims=3, init_filters=init_filters, in_channels=channels, out_channels=3,
            dropout_prob=dropout or None, blocks_down=tuple(blocks_down), blocks_up=tuple(blocks_up),
            norm=(GROUP_NORM, {"num_groups": 8}),
        )  # fmt: skip
        self.level_channels = tuple(init_filters * 2**level for level in range(len(blocks_down)))
        self.divisor = 2 ** (len(blocks_down) - 1)
        volume = normalization_volume
        if volume is not None and (len(volume) != 3 or min(volume) < 1):
            raise ConfigError(
                "network.normalization_volume", f"{list(volume)} found → three sizes in voxels, or null, expected",
                "Correct the value",
            )  # fmt: skip
        self.normalization_volume = None if volume is None else tuple(volume)
        use_slab_convolutions(self)
        if channels_last:
            for convolution in self.modules():
                if isinstance(convolution, nn.Conv3d):
                    kernel = convolution.weight.data
                    convolution.weight.data = kernel.contiguous(memory_format=torch.channels_last_3d)

    def forward_whole_volume(
        self, image: Tensor, decode: bool = True
    ) -> tuple[Sequence[Tensor], Tensor | None]:  # fmt: skip
        """A whole case: the encoder's maps, shallow to deep, at 1, 1/2, 1/4 and 1/8, and its logits if `decode`."""
        if self.normalization_volume is not None:
            return forward_in_volume(self, image, self.normalization_volume, decode)
        _, maps = self.encode(pad_to_multiple(image, self.divisor))
        d, h, w = image.shape[2:]
        logits = self.decode(maps[-1], maps[::-1])[:, :, :d, :h, :w] if decode else None
        return crop_maps(maps, image.shape[2:]), logits

    def encoder_stages(self) -> list[list[nn.Module]]:
        """Input convolution and first level together, then one level each."""
        first, *deeper = self.down_layers
        return [[self.convInit, first], *[[stage] for stage in deeper]]

    def input_convolutions(self) -> tuple[str, ...]:
        """Its key in the state dict."""
        return ("convInit.conv.weight",)
