"""Encoder maps → one float32 latent vector a case, by the maps and the predicted whole tumour.

A pooling of your own is a `Pooling` object of your package, made known by an entry point, after which its name may
stand in `features.pooling`:

    [project.entry-points."glioma_os.pooling"]
    quartiles = "my_package.pooling:QUARTILES"
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points

import torch
from torch import Tensor
from torch.nn import functional as F

from glioma_os.errors import ConfigError

SPACE = (2, 3, 4)
GROUP = "glioma_os.pooling"


@dataclass(frozen=True)
class Pooling:
    """A pooling by its name. `function` takes the encoder's maps, (B, C_i, D/2ⁱ, H/2ⁱ, W/2ⁱ) shallow to deep, of any
    float type, and the predicted whole-tumour probability (B, 1, D, H, W), None unless `needs_tumour`; it gives (B, F)
    float32, F the same for all sizes. Only what it looks at need be made float32: maps are made when looked at."""

    name: str
    function: Callable[[Sequence[Tensor], Tensor | None], Tensor]
    needs_tumour: bool = False

    def __call__(self, levels: Sequence[Tensor], tumour: Tensor | None = None) -> Tensor:
        """(B, F) float32. A ValueError where the tumour is needed and not given."""
        if self.needs_tumour and tumour is None:
            raise ValueError(f"pooling {self.name} needs the predicted whole-tumour probability")
        return self.function(levels, tumour)


def _mean(levels: Sequence[Tensor], tumour: Tensor | None) -> Tensor:
    """Bottleneck mean (B, C)."""
    return levels[-1].float().mean(SPACE)


def _mean_max_std(levels: Sequence[Tensor], tumour: Tensor | None) -> Tensor:
    """Bottleneck mean, maximum and sd (B, 3C)."""
    deep = levels[-1].float()
    spread = deep.std(SPACE) if deep[0, 0].numel() > 1 else torch.zeros_like(deep[:, :, 0, 0, 0])  # of 1 voxel: none
    return torch.cat([deep.mean(SPACE), deep.amax(SPACE), spread], 1)


def _pyramid(levels: Sequence[Tensor], tumour: Tensor | None) -> Tensor:
    """Mean of every level (B, ΣC): 16 + 32 + 64 + 128 = 240 at 16 filters."""
    return torch.cat([level.float().mean(SPACE) for level in levels], 1)


def _resample_to_level(tumour: Tensor, level: int) -> Tensor:
    """The probability (B, 1, D, H, W) averaged to a level's grid, never 0 everywhere; cells at far faces are averaged
    over the voxels that they have."""
    cell = [min(2**level, size) for size in tumour.shape[2:]]
    return F.avg_pool3d(tumour, cell, ceil_mode=True) + 1e-6


def _tumour(levels: Sequence[Tensor], tumour: Tensor | None) -> Tensor:
    """Bottleneck mean weighted by the predicted whole-tumour probability (B, 1, D, H, W), and log(1 + its voxels).

    (B, C + 1). A case without tumour gives the plain mean's limit: weights fall back to uniform.
    """
    assert tumour is not None
    deep = levels[-1].float()
    weight = _resample_to_level(tumour, len(levels) - 1)
    weighted = (deep * weight).sum(SPACE) / weight.sum(SPACE)
    return torch.cat([weighted, torch.log1p(tumour.sum(SPACE))], 1)


def _tumour_pyramid(levels: Sequence[Tensor], tumour: Tensor | None) -> Tensor:
    """Every level's mean weighted by the predicted tumour, and log(1 + its voxels): (B, ΣC + 1)."""
    assert tumour is not None
    parts = []
    for place, level in enumerate(levels):
        weight = _resample_to_level(tumour, place)
        parts.append((level.float() * weight).sum(SPACE) / weight.sum(SPACE))
    return torch.cat([*parts, torch.log1p(tumour.sum(SPACE))], 1)


def _flatten(levels: Sequence[Tensor], tumour: Tensor | None) -> Tensor:
    """The bottleneck averaged to 6×6×6 and laid out (B, 216·C): one length for every box size."""
    return F.adaptive_avg_pool3d(levels[-1].float(), 6).flatten(1)


POOLINGS = (
    Pooling("mean", _mean),
    Pooling("mean_max_std", _mean_max_std),
    Pooling("pyramid", _pyramid),
    Pooling("tumour", _tumour, needs_tumour=True),
    Pooling("tumour_pyramid", _tumour_pyramid, needs_tumour=True),
    Pooling("flatten", _flatten),
)


def list_poolings() -> dict[str, Pooling]:
    """Name → pooling: the package's own and those of installed packages, which cannot take the name of another."""
    found = {own.name: own for own in POOLINGS}
    for entry in entry_points(group=GROUP):
        added = entry.load()
        if not isinstance(added, Pooling) or added.name in found:
            raise ConfigError(
                f"entry point {GROUP}:{entry.name}", f"{entry.value} found → a Pooling of a new name expected",
                "Correct the package's entry point",
            )  # fmt: skip
        found[added.name] = added
    return found


def pooling(name: str) -> Pooling:
    """The pooling of that name; a ConfigError lists them."""
    found = list_poolings()
    if name not in found:
        raise ConfigError(
            "features.pooling", f"{name!r} found → one of {sorted(found)} expected", "Correct the value"
        )  # fmt: skip
    return found[name]
