"""What a segmentation network must offer so that every stage can use it.

A network of your own is one file and one yaml: a class that takes `channels` (how many images go in) and the yaml's
keys, made known by an entry point of your package (see config/registry.py):

    [project.entry-points."glioma_os.network"]
    tiny = "my_package.tiny:TinyNetwork"

and a file `network/tiny.yaml` with `_target_: my_package.tiny.TinyNetwork` in a folder given by `--config-dir`.
`tests/contracts/test_networks.py` drives every yaml of conf/network, and shows such a package.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from glioma_os.errors import ConfigError


@runtime_checkable
class SegmentationNetwork(Protocol):
    """A network (B, C, D, H, W) → logits (B, 3, D, H, W) of TC, WT, ET whose encoder can be read and frozen by stage.

    `level_channels`: channels of each encoder level, shallow to deep; `divisor`: what D, H, W of its call must be a
    multiple of. Training patches follow it, so a network need not accept others.
    """

    level_channels: tuple[int, ...]
    divisor: int

    def __call__(self, image: Tensor) -> Tensor | Sequence[Tensor]:
        """Logits (B, 3, D, H, W); in train() mode also a list of them, the next ones of coarser grids, for deep
        supervision: their losses weigh 1, 1/2, 1/4, …"""
        ...

    def forward_whole_volume(self, image: Tensor, decode: bool = True) -> tuple[Sequence[Tensor], Tensor | None]:
        """A whole case of any size without dropout: the encoder's maps (B, level_channels[i], D/2ⁱ, H/2ⁱ, W/2ⁱ rounded
        up), shallow to deep, the last one the latent; and the logits (B, 3, D, H, W) if `decode`."""
        ...

    def encoder_stages(self) -> list[list[nn.Module]]:
        """The encoder's modules, one list a level, shallow to deep; those with parameters in one list only."""
        ...

    def input_convolutions(self) -> tuple[str, ...]:
        """The state-dict keys of all weights (filters, C, k, k, k) that meet the input channels."""
        ...


def check_deep_supervision(levels: int, decoder_levels: int) -> None:
    """How many coarser decoder levels are trained on: a ConfigError unless there are so many below the full grid's."""
    if not 0 <= levels < decoder_levels:
        raise ConfigError(
            "network.deep_supervision", f"{levels} found → 0 to {decoder_levels - 1} expected", "Correct the value"
        )  # fmt: skip
