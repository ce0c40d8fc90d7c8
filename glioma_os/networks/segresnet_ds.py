"""MONAI's SegResNetDS: the SegResNet of Auto3DSeg, with transposed convolutions and deep supervision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from monai.networks.nets import SegResNetDS
from torch import Tensor, nn

from glioma_os.networks.contracts import check_deep_supervision
from glioma_os.networks.fast.convolution import use_slab_convolutions
from glioma_os.networks.padding import crop_maps, pad_to_multiple


class GliomaSegResNetDS(SegResNetDS):
    """SegResNetDS (Myronenko 2018, 2022) under the package's protocol; its state dict is MONAI's.

    `blocks_down` and `blocks_up`: residual blocks a level; the latent has 2^(levels − 1) × `init_filters` channels.
    `norm`: batch, instance, or instance_nvfuser; Auto3DSeg uses instance. `deep_supervision`: how many coarser decoder
    levels are trained on too, 0 = the full grid alone.
    """

    def __init__(
        self, channels: int, init_filters: int = 16, blocks_down: Sequence[int] = (1, 2, 2, 4),
        blocks_up: Sequence[int] = (1, 1, 1), norm: str = "instance", deep_supervision: int = 2,
    ) -> None:  # fmt: skip
        check_deep_supervision(deep_supervision, len(blocks_up))
        super().__init__(
            spatial_dims=3, init_filters=init_filters, in_channels=channels, out_channels=3, norm=norm,
            blocks_down=tuple(blocks_down), blocks_up=tuple(blocks_up), dsdepth=deep_supervision + 1,
        )  # fmt: skip
        use_slab_convolutions(self)
        self.level_channels = tuple(init_filters * 2**level for level in range(len(blocks_down)))
        self.divisor = 2 ** (len(blocks_down) - 1)

    def forward_whole_volume(self, image: Tensor, decode: bool = True) -> tuple[Sequence[Tensor], Tensor | None]:
        """A whole case: the encoder's maps, shallow to deep, and its logits if `decode`."""
        sizes = image.shape[2:]
        maps = self.encoder(pad_to_multiple(image, self.divisor, least=2))
        logits = None
        if decode:
            d, h, w = sizes
            logits = self._decode(maps)[:, :, :d, :h, :w]
        return crop_maps(maps, sizes), logits

    def _decode(self, maps: Sequence[Tensor]) -> Tensor:
        """Logits of the full grid; the maps stay as they are."""
        x = maps[-1]
        levels = cast(list[nn.ModuleDict], list(self.up_layers))
        for level, skip in zip(levels, reversed(maps[:-1]), strict=True):
            x = level["blocks"](level["upsample"](x) + skip)
        return levels[-1]["head"](x)

    def encoder_stages(self) -> list[list[nn.Module]]:
        """Input convolution and first level together, then one level each with the strided convolution before it."""
        before: list[nn.Module] = [self.encoder.conv_init]
        stages = []
        for level in cast(list[nn.ModuleDict], list(self.encoder.layers)):
            stages.append([*before, level["blocks"]])
            before = [level["downsample"]]
        return stages

    def input_convolutions(self) -> tuple[str, ...]:
        """Its key in the state dict."""
        return ("encoder.conv_init.weight",)
