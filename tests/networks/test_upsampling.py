import pytest
import torch
from torch.nn import functional as F

from glioma_os.networks.fast.upsampling import upsample2x


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-15), (torch.float32, 1e-6), (torch.bfloat16, 2**-6)]
)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d])
@pytest.mark.parametrize("shape", [(2, 5, 4, 3, 6), (1, 16, 1, 2, 1)], ids=str)
def test_upsample2x_is_torchs_trilinear_interpolation(shape, layout, dtype, tolerance):
    x = torch.randn(shape, dtype=torch.float64).to(dtype).contiguous(memory_format=layout)
    expected = F.interpolate(x.double(), scale_factor=2, mode="trilinear")
    found = upsample2x(x, expected.shape[2:])
    assert found.dtype == dtype and found.is_contiguous(memory_format=torch.channels_last_3d)
    assert (found.double() - expected).abs().max() <= tolerance * x.double().abs().max()


def test_a_part_is_that_of_the_whole_and_lies_in_memory_without_gaps():
    x = torch.randn(1, 16, 6, 5, 4)
    whole, part = upsample2x(x, (12, 10, 8)), upsample2x(x, (11, 9, 8))
    assert torch.equal(part, whole[..., :11, :9, :])
    assert part.is_contiguous(memory_format=torch.channels_last_3d)
