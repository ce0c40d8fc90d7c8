"""GroupNorm for channels-last tensors on a processor: exact statistics, and not the slow backward pass."""

from __future__ import annotations

from typing import Any

import torch
from monai.networks.layers.factories import Norm
from torch import Tensor, nn
from torch.nn import functional as F

GROUP_NORM = "CHANNELS_LAST_GROUP"
# Torch sums a channel's numbers one after the other in float32: over a whole volume the mean is off by 0.5 %, so
# float64 takes over after this many. Rows of 16 channels it sums one by one, longer ones, of many voxels, in vectors.
_ROWS, _ABREAST = 1024, 128


def channel_moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and mean square (C,) float64 of each channel of one sample (1, C, D, H, W)."""
    channels = x.shape[1]
    voxels = x[0].permute(1, 2, 3, 0).reshape(-1, channels)
    rest = voxels[len(voxels) // _ABREAST * _ABREAST :].double()
    sums = torch.stack([rest.sum(0), rest.square().sum(0)])
    if len(rest) < len(voxels):
        sums += (
            _row_sums(voxels[: len(voxels) - len(rest)].reshape(-1, _ABREAST * channels))
            .view(2, _ABREAST, channels)
            .sum(1)
        )
    mean, square = sums / len(voxels)
    return mean, square


def _row_sums(rows: Tensor) -> Tensor:
    """Of each column of (N, M), its sum and its sum of squares, (2, M) float64."""
    zeros = torch.zeros(rows.shape[1], dtype=_wide(rows), device=rows.device)  # unused, but of the sums' type
    slabs = rows.split(_ROWS)
    found = zip(*(torch.batch_norm_update_stats(slab, zeros, zeros, 0.0) for slab in slabs), strict=True)
    mean, variance = (torch.stack(part).double() for part in found)
    sizes = torch.tensor([len(slab) for slab in slabs], dtype=torch.float64, device=rows.device)
    return torch.stack([sizes @ mean, sizes @ (variance + mean**2)])


def group_statistics(norm: nn.GroupNorm, mean: Tensor, square: Tensor) -> tuple[Tensor, Tensor]:
    """μ and 1/σ of each channel's group, (C,) float64, from the channels' mean and mean square."""
    mu, second = (moment.view(norm.num_groups, -1).mean(1) for moment in (mean, square))
    inverse = (second - mu**2 + norm.eps).rsqrt()
    per_group = len(mean) // norm.num_groups
    return mu.repeat_interleave(per_group), inverse.repeat_interleave(per_group)


def affine(x: Tensor, slope: Tensor, line: Tensor) -> Tensor:
    """slope · x + line, a number a channel each, in one pass."""
    zeros = torch.zeros_like(slope, dtype=_wide(x))
    return F.batch_norm(x, zeros, zeros + 1, slope.to(_wide(x)), line.to(_wide(x)), False, 0.0, 0.0)


def _wide(x: Tensor) -> torch.dtype:
    return torch.promote_types(x.dtype, torch.float32)


def together(samples: list[Tensor]) -> Tensor:
    """One batch of samples (1, …); of one, no copy."""
    return samples[0] if len(samples) == 1 else torch.cat(samples)


class _GroupNormFunction(torch.autograd.Function):
    """torch.nn.functional.group_norm; its gradient from batch norm's kernels, which know channels-last.

    With x̂ = (x − μ)/σ over a group of N values: dx = (γ dy − mean(γ dy) − x̂ mean(γ dy x̂)) / σ (Wu and He 2018).
    torch's own kernel takes a third of a bfloat16 training step in this layout.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, norm: nn.GroupNorm) -> Tensor:
        out, statistics = [], []
        for sample in x.split(1):
            mu, inverse = group_statistics(norm, *channel_moments(sample))
            out.append(affine(sample, weight * inverse, bias - mu * inverse * weight))
            statistics.append(torch.stack([mu, inverse]).to(_wide(x)))
        ctx.save_for_backward(x, weight, torch.stack(statistics))
        ctx.groups = norm.num_groups
        return together(out)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x, weight, statistics = ctx.saved_tensors
        per_group = x.shape[1] // ctx.groups
        size = per_group * x[0, 0].numel()
        d_weight, d_bias, d_x = torch.zeros_like(weight), torch.zeros_like(weight), []
        for sample, dy, (mu, inverse) in zip(x.split(1), gradients[0].split(1), statistics, strict=True):
            dx, dy_xhat, dy_sum = torch.ops.aten.native_batch_norm_backward(
                dy, sample, weight, mu, inverse**-2, None, None, False, 0.0, [True] * 3
            )
            d_weight += dy_xhat
            d_bias += dy_sum
            first, second = (
                (weight * total).view(-1, per_group).sum(1).repeat_interleave(per_group) / size
                for total in (dy_sum, dy_xhat)
            )
            slope = -(inverse**2) * second
            d_x.append(dx.add_(affine(sample, slope, -inverse * first - slope * mu)))
        return together(d_x), d_weight, d_bias, None


class ChannelsLastGroupNorm(nn.GroupNorm):
    """nn.GroupNorm with weight and bias; same parameters, same values."""

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, D, H, W) → the same shape."""
        last = input.is_contiguous(memory_format=torch.channels_last_3d) and not input.is_contiguous()
        if input.device.type == "cpu" and last:
            return _GroupNormFunction.apply(input, self.weight, self.bias, self)
        return super().forward(input)


@Norm.factory_function(GROUP_NORM)
def _by_name(dim: int) -> type[nn.Module]:
    return ChannelsLastGroupNorm
