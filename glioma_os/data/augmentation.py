"""What is done to a training sample, by its seed alone: MONAI for flips and intensity, TorchIO for MR physics."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from glioma_os.errors import ConfigError


@dataclass(frozen=True)
class Augmentation:
    """Probabilities and strengths; the defaults are the Model-Zoo bundle's, which knows no `physics` and no dropout.

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
                raise ConfigError(f"augmentation.{name}", f"{getattr(self, name)} found → 0 to 1", "Correct the value")

    @cached_property
    def _monai(self) -> Any:
        from monai.transforms import Compose, RandFlipd, RandScaleIntensityd, RandShiftIntensityd

        both = ["image", "regions"]
        return Compose(
            [
                *[RandFlipd(both, prob=self.flip, spatial_axis=axis) for axis in range(3)],
                RandScaleIntensityd("image", factors=self.scale, prob=1.0),
                RandShiftIntensityd("image", offsets=self.shift, prob=1.0),
            ]
        )

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

    def __call__(self, image: Tensor, regions: Tensor, seed: int) -> tuple[Tensor, Tensor]:
        """(C, D, H, W) float32 and (3, D, H, W) → the same shapes; equal seeds give equal samples."""
        from monai.utils.type_conversion import convert_to_tensor

        rng = np.random.default_rng(seed)
        if self.physics:
            image = self._with_physics(image, seed)
        self._monai.set_random_state(seed=int(rng.integers(2**31)))
        out = self._monai({"image": image, "regions": regions})
        # MONAI hands back its own tensor type, which costs time in every later operation.
        image, regions = (convert_to_tensor(out[name], track_meta=False) for name in ("image", "regions"))
        if self.channel_dropout:
            image = image * self._kept_channels(len(image), rng)[:, None, None, None]
        return image.contiguous(), regions.contiguous()

    def _with_physics(self, image: Tensor, seed: int) -> Tensor:
        import torchio as tio

        with torch.random.fork_rng(devices=[]):  # TorchIO draws from torch's global generator
            torch.manual_seed(seed)
            subject = tio.Subject(mri=tio.ScalarImage(tensor=image))
            brain = image != 0
            return self._torchio(subject)["mri"].data.float() * brain

    def _kept_channels(self, channels: int, rng: np.random.Generator) -> Tensor:
        kept = rng.random(channels) >= self.channel_dropout
        kept[rng.integers(channels)] = True
        return torch.from_numpy(kept.astype(np.float32))
