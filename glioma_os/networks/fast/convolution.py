"""3D convolutions of one small float32 volume on a processor, as two slabs.

torch hands a float32 convolution to oneDNN only where it expects to gain: of kernels up to 3 wide, where the batch has
more than one volume or B·C·D·H (the last axis does not count) is above 20,480 (ConvParams::use_mkldnn in
aten/src/ATen/native/Convolution.cpp). Otherwise it takes `slow_conv3d`, which is 2 to 8 times slower forward and
backward at the sizes of a brain on a 4 to 8 mm grid. Two halves of the volume are a batch of two.

A convolution is local: output i along the first axis reads the padded inputs i·s … i·s + k − 1 (stride s, kernel k).
So the first half of the outputs, n of them, reads inputs 0 … (n − 1)·s + k − 1, the second half the same window n·s
further on; an odd number of outputs is filled up by one that is dropped. The slabs overlap by k − s planes, which is
the whole cost. bfloat16 convolutions always go to oneDNN, so that nothing is done under autocast.

Precision: the same products in another order of summation; at most some float32 roundings (1e-6 of the largest value)
from the plain convolution. Plain twin: `torch.nn.Conv3d`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glioma_os.fast import is_plain

LARGE = 20_480  # B·C·D·H from which torch itself uses oneDNN


class SlabConv3d(nn.Conv3d):
    """`torch.nn.Conv3d`, with the same parameters and keys."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if is_plain() or not self._falls_back(input):
            return super()._conv_forward(input, weight, bias)
        (kernel, *_), (stride, *_), (padding, *rest) = self.kernel_size, self.stride, self._sides()
        depth = input.shape[2]
        n_outputs = (depth + 2 * padding - kernel) // stride + 1
        half = -(-n_outputs // 2)
        window = (half - 1) * stride + kernel
        behind = max(padding, half * stride + window - depth - padding)
        padded = F.pad(input, (0, 0, 0, 0, padding, behind))
        slabs = torch.cat([padded.narrow(2, place * half * stride, window) for place in range(2)])
        found = F.conv3d(slabs, weight, bias, self.stride, (0, *rest))
        return torch.cat([found[:1], found[1:]], 2)[:, :, :n_outputs]

    def _sides(self) -> tuple[int, ...]:
        """Zeros added at each end of each axis."""
        return tuple(int(side) for side in self.padding)

    def _falls_back(self, input: Tensor) -> bool:
        """Whether torch would not use oneDNN for this input, and slabs are the same convolution."""
        plain_kind = self.padding_mode == "zeros" and not isinstance(self.padding, str) and self.dilation == (1, 1, 1)
        small = input.dim() == 5 and input.shape[0] == 1 and input.shape[:4].numel() <= LARGE
        narrow = self.groups == 1 and 1 < self.kernel_size[0] and max(self.kernel_size) <= 3
        float32 = input.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
        return plain_kind and small and narrow and float32 and input.device.type == "cpu" and input.shape[2] > 1


def use_slab_convolutions(network: nn.Module) -> None:
    """Makes every plain 3D convolution of the network a SlabConv3d; parameters, their keys and values stay."""
    for module in network.modules():
        if type(module) is nn.Conv3d:
            module.__class__ = SlabConv3d
