"""MONAI's SwinUNETR: an encoder of shifted-window attention with a convolutional decoder."""

from __future__ import annotations

from collections.abc import Sequence

from monai.networks.nets import SwinUNETR
from torch import Tensor, nn

from glioma_os.errors import ConfigError
from glioma_os.networks.padding import crop_maps, pad_to_multiple

LEVELS = 6  # the full grid, the tokens of 2³ voxels, and four merges


class GliomaSwinUNETR(SwinUNETR):
    """SwinUNETR (Hatamizadeh et al. 2022) under the package's protocol; its state dict is MONAI's.

    `feature_size`: channels of the first two levels, a multiple of 12, doubled with each of the four merges; BraTS
    models of MONAI's have 48. `depths`, `num_heads`: blocks and attention heads of each of the four stages.
    `window_size`: tokens a side. `use_v2`: a residual convolution before each stage. Dropout rates are of features,
    attention, and whole paths.

    Its encoder's maps are what the decoder receives: a full-grid convolution, then the stages' tokens through their
    residual blocks, at 1/2 to 1/32.
    """

    def __init__(
        self, channels: int, feature_size: int = 24, depths: Sequence[int] = (2, 2, 2, 2),
        num_heads: Sequence[int] = (3, 6, 12, 24), window_size: int = 7, mlp_ratio: float = 4.0,
        dropout: float = 0.0, attention_dropout: float = 0.0, path_dropout: float = 0.0, use_v2: bool = False,
    ) -> None:  # fmt: skip
        if feature_size % 12 or len(depths) != 4 or len(num_heads) != 4:
            raise ConfigError(
                "network", f"feature_size {feature_size}, depths {list(depths)}, num_heads {list(num_heads)} found → "
                "a multiple of 12, four numbers, four numbers expected", "Correct the value",
            )  # fmt: skip
        super().__init__(
            in_channels=channels, out_channels=3, feature_size=feature_size, depths=tuple(depths),
            num_heads=tuple(num_heads), window_size=window_size, mlp_ratio=mlp_ratio, drop_rate=dropout,
            attn_drop_rate=attention_dropout, dropout_path_rate=path_dropout, use_v2=use_v2,
        )  # fmt: skip
        self.level_channels = (feature_size, *[feature_size * 2**level for level in range(LEVELS - 1)])
        self.divisor = 2 ** (LEVELS - 1)

    def forward_whole_volume(self, image: Tensor, decode: bool = True) -> tuple[Sequence[Tensor], Tensor | None]:
        """A whole case: the encoder's maps, shallow to deep, and its logits if `decode`."""
        padded = pad_to_multiple(image, self.divisor, least=2)
        tokens = self.swinViT(padded, self.normalize)
        maps = [
            self.encoder1(padded), self.encoder2(tokens[0]), self.encoder3(tokens[1]), self.encoder4(tokens[2]),
            tokens[3], self.encoder10(tokens[4]),
        ]  # fmt: skip
        logits = None
        if decode:
            x = maps[-1]
            decoders = (self.decoder5, self.decoder4, self.decoder3, self.decoder2, self.decoder1)
            for decoder, skip in zip(decoders, reversed(maps[:-1]), strict=True):
                x = decoder(x, skip)
            d, h, w = image.shape[2:]
            logits = self.out(x)[:, :, :d, :h, :w]
        return crop_maps(maps, image.shape[2:]), logits

    def encoder_stages(self) -> list[list[nn.Module]]:
        """One list a level: the stage that makes its tokens (and v2's convolution), and the block after it."""
        vit = self.swinViT
        stages: list[list[nn.Module]] = [
            [self.encoder1], [vit.patch_embed, self.encoder2], [vit.layers1[0], self.encoder3],
            [vit.layers2[0], self.encoder4], [vit.layers3[0]], [vit.layers4[0], self.encoder10],
        ]  # fmt: skip
        if vit.use_v2:
            for stage, block in zip(stages[2:], (vit.layers1c, vit.layers2c, vit.layers3c, vit.layers4c), strict=True):
                stage.append(block[0])
        return stages

    def input_convolutions(self) -> tuple[str, ...]:
        """Their keys in the state dict: tokens and the full-grid block, which has two side by side."""
        block = ("encoder1.layer.conv1.conv.weight", "encoder1.layer.conv3.conv.weight")
        return ("swinViT.patch_embed.proj.weight", *block)
