"""MONAI's DynUNet: nnU-Net's network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.networks.nets import DynUNet
from torch import Tensor, nn

from glioma_os.errors import ConfigError
from glioma_os.networks.contracts import check_deep_supervision
from glioma_os.networks.fast.convolution import use_slab_convolutions
from glioma_os.networks.padding import crop_maps, pad_to_multiple


class GliomaDynUNet(DynUNet):
    """nnU-Net's 3D U-Net (Isensee et al. 2021) as MONAI builds it, under the package's protocol.

    `filters`: channels of each level; each level but the first halves the grid, so the latent lies at 1/2^(levels − 1).
    `res_block`: residual blocks. `dropout`: share of channels. `deep_supervision`: how many coarser decoder levels are
    trained on too, 0 = the full grid alone. MONAI names most tensors twice (`skip_layers.…`): files hold them once, and
    files with both names load too.
    """

    def __init__(
        self, channels: int, filters: Sequence[int] = (32, 64, 128, 256, 320), res_block: bool = False,
        dropout: float = 0.0, deep_supervision: int = 2,
    ) -> None:  # fmt: skip
        levels = len(filters)
        if levels < 3:
            raise ConfigError("network.filters", f"{list(filters)} found → 3 levels or more expected", "Add levels")
        check_deep_supervision(deep_supervision, levels - 1)
        super().__init__(
            spatial_dims=3, in_channels=channels, out_channels=3, kernel_size=[3] * levels,
            strides=[1] + [2] * (levels - 1), upsample_kernel_size=[2] * (levels - 1), filters=list(filters),
            dropout=dropout or None, deep_supervision=deep_supervision > 0, deep_supr_num=max(1, deep_supervision),
            res_block=res_block,
        )  # fmt: skip
        use_slab_convolutions(self)
        self.level_channels = tuple(filters)
        self.divisor = 2 ** (levels - 1)

    def forward(self, x: Tensor) -> Tensor | list[Tensor]:
        """Logits; in training with deep supervision a list of them, each of its own grid.

        MONAI would enlarge the coarse ones to the full grid: eight times the work and memory a level, for the same
        voxels repeated.
        """
        logits = self.output_block(self.skip_layers(x))
        if not (self.training and self.deep_supervision):
            return logits
        coarse = list(self.heads)
        self.heads[:] = [torch.empty(0)] * len(coarse)  # a kept activation would keep its graph, and stop deepcopy
        return [logits, *coarse]

    def forward_whole_volume(self, image: Tensor, decode: bool = True) -> tuple[Sequence[Tensor], Tensor | None]:
        """A whole case: the encoder's maps, shallow to deep, and its logits if `decode`."""
        x, maps = pad_to_multiple(image, self.divisor, least=2), []
        for layer in (self.input_block, *self.downsamples, self.bottleneck):
            x = layer(x)
            maps.append(x)
        logits = None
        if decode:
            for layer, skip in zip(self.upsamples, reversed(maps[:-1]), strict=True):
                x = layer(x, skip)
            d, h, w = image.shape[2:]
            logits = self.output_block(x)[:, :, :d, :h, :w]
        return crop_maps(maps, image.shape[2:]), logits

    def encoder_stages(self) -> list[list[nn.Module]]:
        """One block a level."""
        return [[self.input_block], *[[layer] for layer in self.downsamples], [self.bottleneck]]

    def input_convolutions(self) -> tuple[str, ...]:
        """Their keys in the state dict: a residual block has a second one beside the first."""
        first = ("input_block.conv1.conv.weight",)
        return (*first, "input_block.conv3.conv.weight") if hasattr(self.input_block, "conv3") else first
