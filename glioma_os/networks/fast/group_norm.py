"""Group normalization of channels-last tensors on a processor: exact statistics, and a backward pass for the layout.

Plain twin: `torch.nn.GroupNorm`, whose backward kernel takes a third of a bfloat16 training step in this layout.
"""

from __future__ import annotations

from typing import Any

import torch
from monai.networks.layers.factories import Norm
from torch import Tensor, nn

from glioma_os.fast import is_plain

GROUP_NORM = "CHANNELS_LAST_GROUP"  # the name under which MONAI's networks find it
# torch sums the rows of a matrix one after the other in the type of the sum, float32. The error of such a sum grows
# with its length: over the 8 million voxels of a brain box, most of them one repeated number, whose roundings do not
# cancel, the mean is off by 0.5 %. So float32 sums _ROWS rows only (error below 1024 × 2⁻²⁴ = 6e-5 of the mean absolute
# value) and float64 adds those up. A row of 16 channels is summed element by element, a long one in vectors:
# _ABREAST voxels are laid side by side as one row and their sums added at the end.
_ROWS, _ABREAST = 1024, 128


def channel_moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and mean square (C,) float64 of each channel of one sample (1, C, D, H, W)."""
    if is_plain():
        values = x[0].double()
        return values.mean((1, 2, 3)), values.square().mean((1, 2, 3))
    channels = x.shape[1]
    voxels = x[0].permute(1, 2, 3, 0).reshape(-1, channels)
    rest = voxels[len(voxels) // _ABREAST * _ABREAST :].double()
    sums = torch.stack([rest.sum(0), rest.square().sum(0)])
    if len(rest) < len(voxels):
        rows = voxels[: len(voxels) - len(rest)].reshape(-1, _ABREAST * channels)
        sums += _sum_rows(rows).view(2, _ABREAST, channels).sum(1)
    mean, square = sums / len(voxels)
    return mean, square


def _sum_rows(rows: Tensor) -> Tensor:
    """Of each column of (N, M), its sum and its sum of squares, (2, M) float64.

    batch_norm_update_stats is torch's one kernel that gives mean and variance of columns in a single pass, in float32
    for bfloat16 input; Σx² = n (variance + mean²) loses nothing that float64 would keep of such a variance.
    """
    zeros = torch.zeros(rows.shape[1], dtype=_accumulation_type(rows), device=rows.device)  # decides the sums' type
    slabs = rows.split(_ROWS)
    found = zip(*(torch.batch_norm_update_stats(slab, zeros, zeros, 0.0) for slab in slabs), strict=True)
    mean, variance = (torch.stack(part).double() for part in found)
    sizes = torch.tensor([len(slab) for slab in slabs], dtype=torch.float64, device=rows.device)
    return torch.stack([sizes @ mean, sizes @ (variance + mean**2)])


def group_statistics(norm: nn.GroupNorm, mean: Tensor, square: Tensor) -> tuple[Tensor, Tensor]:
    """μ and 1/σ of each channel's group, (C,) float64, from the channels' mean and mean square.

    A group's channels have equally many voxels, so its moments are the means of theirs; σ² = E[x²] − μ² + ε. In float64
    the difference keeps 1e-16 E[x²] / σ², which is far below float32 unless the mean is 10⁴ σ.
    """
    mu, second = (moment.view(norm.num_groups, -1).mean(1) for moment in (mean, square))
    inverse_std = (second - mu**2 + norm.eps).rsqrt()
    per_group = len(mean) // norm.num_groups
    return mu.repeat_interleave(per_group), inverse_std.repeat_interleave(per_group)


def scale_shift(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """scale · x + shift, a number a channel each, (C,), in one pass and rounded once to x's type.

    Batch normalization with running mean 0, variance 1 and ε = 0 is exactly that, and its kernel keeps channels-last. A
    product and a sum of torch's would be two passes over memory. Called as `torch.batch_norm`: up to torch 2.12 the
    wrapper in torch.nn.functional refuses ε = 0, the kernel never did, so every version gives the same bits.
    """
    wide = _accumulation_type(x)
    if is_plain():
        column = (slice(None), None, None, None)
        return (x.to(wide) * scale.to(wide)[column] + shift.to(wide)[column]).to(x.dtype)
    zeros = torch.zeros_like(scale, dtype=wide)
    return torch.batch_norm(x, scale.to(wide), shift.to(wide), zeros, zeros + 1, False, 0.0, 0.0, False)


def _accumulation_type(x: Tensor) -> torch.dtype:
    """float32, or float64 for float64."""
    return torch.promote_types(x.dtype, torch.float32)


def concatenate_batch(samples: list[Tensor]) -> Tensor:
    """One batch of samples (1, …); of one, no copy."""
    return samples[0] if len(samples) == 1 else torch.cat(samples)


class _GroupNormFunction(torch.autograd.Function):
    """torch.nn.functional.group_norm; its gradient from batch norm's kernels, which know channels-last.

    With x̂ = (x − μ)/σ over a group of N values: dx = (γ dy − mean(γ dy) − x̂ mean(γ dy x̂)) / σ (Wu and He 2018, the
    derivative of (1)). Batch norm's kernel in evaluation mode gives γ dy / σ, Σ dy and Σ dy x̂ of each channel in one
    pass, from 1/√(variance + ε) with variance := σ² and ε := 0. The means over a group follow from the sums of its
    channels, and what remains is a scale and a shift of x: −x̂ m₂/σ − m₁/σ = −(m₂/σ²) x + (μ m₂/σ² − m₁/σ).
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, norm: nn.GroupNorm) -> Tensor:
        out, statistics = [], []
        for sample in x.split(1):
            mu, inverse_std = group_statistics(norm, *channel_moments(sample))
            out.append(scale_shift(sample, weight * inverse_std, bias - mu * inverse_std * weight))
            statistics.append(torch.stack([mu, inverse_std]).to(_accumulation_type(x)))
        ctx.save_for_backward(x, weight, torch.stack(statistics))
        ctx.groups = norm.num_groups
        return concatenate_batch(out)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x, weight, statistics = ctx.saved_tensors
        per_group = x.shape[1] // ctx.groups
        size = per_group * x[0, 0].numel()
        d_weight, d_bias, d_x = torch.zeros_like(weight), torch.zeros_like(weight), []
        for sample, dy, (mu, inverse_std) in zip(x.split(1), gradients[0].split(1), statistics, strict=True):
            dx, dy_xhat, dy_sum = torch.ops.aten.native_batch_norm_backward(
                dy, sample, weight, mu, inverse_std**-2, None, None, False, 0.0, [True] * 3
            )
            d_weight += dy_xhat
            d_bias += dy_sum
            first, second = (
                (weight * total).view(-1, per_group).sum(1).repeat_interleave(per_group) / size
                for total in (dy_sum, dy_xhat)
            )
            scale = -(inverse_std**2) * second
            d_x.append(dx.add_(scale_shift(sample, scale, -inverse_std * first - scale * mu)))
        return concatenate_batch(d_x), d_weight, d_bias, None


class ChannelsLastGroupNorm(nn.GroupNorm):
    """nn.GroupNorm with weight and bias; same parameters, same values but for rounding."""

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, D, H, W) → the same shape."""
        last = input.is_contiguous(memory_format=torch.channels_last_3d) and not input.is_contiguous()
        if input.device.type == "cpu" and last and not is_plain():
            return _GroupNormFunction.apply(input, self.weight, self.bias, self)
        return super().forward(input)


@Norm.factory_function(GROUP_NORM)
def _find_by_name(dim: int) -> type[nn.Module]:
    return ChannelsLastGroupNorm
