"""What is done to a training sample, by its seed alone: flips and intensity while reading, TorchIO for MR physics."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from glioma_os.errors import ConfigError
from glioma_os.records import Array
from glioma_os.volumes.store import StoredVolume
from glioma_os.volumes.window import WindowView


@dataclass(frozen=True)
class Augmentation:
    """Probabilities and strengths; the defaults are the Model-Zoo bundle's, which has no `physics` and no dropout.

    `flip` a spatial axis; `scale`, `shift` half-ranges of the intensity change; `physics` = probability of one MR
    artefact (bias field, motion, ghosting, spike, anisotropy); `channel_dropout` = probability that a channel is blank
    (never all of them).
    """

    flip: float = 0.5
    scale: float = 0.1
    shift: float = 0.1
    physics: float = 0.0
    channel_dropout: float = 0.0

    def __post_init__(self) -> None:
        for name in ("flip", "physics", "channel_dropout"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(
                    f"augmentation.{name}", f"{getattr(self, name)} found → 0 to 1 expected", "Correct the value"
                )
        if not 0 <= self.scale < 1:
            raise ConfigError("augmentation.scale", f"{self.scale} found → 0 to below 1 expected", "Correct the value")

    @cached_property
    def _torchio(self) -> Any:
        import torchio as tio

        return tio.OneOf(
            [
                tio.RandomBiasField(),
                tio.RandomMotion(degrees=3, translation=3, num_transforms=1),
                tio.RandomGhosting(intensity=(0.2, 0.5)),
                tio.RandomSpike(intensity=(0.1, 0.3)),
                tio.RandomAnisotropy(downsampling=(1.5, 3)),
            ],
            p=self.physics,
        )

    def __call__(
        self, volume: StoredVolume, corner: tuple[int, ...], channels: tuple[str, ...], seed: int, image: Array,
        regions: Array,
    ) -> None:  # fmt: skip
        """The window into `image` (C, D, H, W) float32, its regions into `regions` (3, D, H, W) uint8; by seed alone.

        Flips, scale and shift are done while the voxels are read: one pass instead of five.
        """
        rng, size = np.random.default_rng(seed), image.shape[1:]
        d, h, w = (bool(axis) for axis in rng.random(3) < self.flip)
        gain, offset = 1 + self.scale * rng.uniform(-1, 1), self.shift * rng.uniform(-1, 1)
        mirrored = WindowView((d, h, w))
        volume.regions(corner, size, mirrored, regions)
        if self.physics:
            volume.window(corner, size, channels, mirrored, image)
            image[...] = self._with_physics(torch.from_numpy(image), seed).mul_(gain).add_(offset)
        else:
            volume.window(corner, size, channels, WindowView(mirrored.flips, gain, offset), image)
        if self.channel_dropout:
            image *= self._kept_channels(len(image), rng)[:, None, None, None]

    def _with_physics(self, image: Tensor, seed: int) -> Tensor:
        import torchio as tio

        with torch.random.fork_rng(devices=[]):  # TorchIO draws from torch's global generator
            torch.manual_seed(seed)
            subject = tio.Subject(mri=tio.ScalarImage(tensor=image))
            brain = image != 0
            return self._torchio(subject)["mri"].data.float() * brain

    def _kept_channels(self, channels: int, rng: np.random.Generator) -> Array:
        kept = rng.random(channels) >= self.channel_dropout
        kept[rng.integers(channels)] = True
        return kept.astype(np.float32)
