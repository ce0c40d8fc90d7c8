import pytest
import torch
from torch import nn

from glioma_os.fast import plain
from glioma_os.networks.dynunet import GliomaDynUNet
from glioma_os.networks.fast.convolution import SlabConv3d, use_slab_convolutions
from glioma_os.networks.segresnet import GliomaSegResNet

SHAPES = [(1, 1, 3), (2, 1, 3), (1, 0, 3), (2, 0, 2), (1, (1, 0, 1), 3)]
NETWORKS = {"segresnet": lambda: GliomaSegResNet(2, 8), "dynunet": lambda: GliomaDynUNet(2, (8, 8, 8, 8))}


def made(*arguments, **options):
    module = nn.Sequential(nn.Conv3d(*arguments, **options))
    use_slab_convolutions(module)
    return module[0]


def close(found, expected):
    return (found - expected).abs().max() <= 3e-6 * expected.abs().max()


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d])
@pytest.mark.parametrize(
    ("stride", "padding", "kernel"), [(1, 1, 3), (2, 1, 3), (1, 0, 3), (2, 0, 2), (1, (1, 0, 1), 3)]
)
@pytest.mark.parametrize("depth", [3, 4, 5, 8, 13])
def test_slabs_are_the_plain_convolution_and_its_gradients(depth, stride, padding, kernel, layout):
    torch.manual_seed(depth)
    module = made(6, 8, kernel, stride, padding)
    module.weight.data = module.weight.data.contiguous(memory_format=layout)
    x = torch.randn(1, 6, depth, 7, 6).contiguous(memory_format=layout).requires_grad_()
    assert module._falls_back(x)
    results = []
    for kept in (False, True):
        with plain(kept):
            out = module(x)
            (out * torch.linspace(-1, 1, out.numel()).view_as(out)).sum().backward()
        results.append([out.detach(), x.grad.clone(), module.weight.grad.clone(), module.bias.grad.clone()])
        x.grad = module.weight.grad = module.bias.grad = None
    assert all(close(found, expected) for found, expected in zip(*results, strict=True))


def test_others_are_left_to_torch():
    module, x = made(4, 4, 3, padding=1), torch.randn(1, 4, 8, 8, 8)
    assert module._falls_back(x)
    assert not module._falls_back(x.double()) and not module._falls_back(torch.randn(2, 4, 8, 8, 8))
    assert not module._falls_back(torch.randn(1, 4, 72, 72, 2)) and not made(4, 4, 1)._falls_back(x)
    assert not made(4, 4, 3, padding="same")._falls_back(x) and not made(4, 4, 3, groups=2)._falls_back(x)
    assert not made(4, 4, 3, dilation=2)._falls_back(x) and not made(4, 4, 3, padding_mode="reflect")._falls_back(x)
    with torch.autocast("cpu", torch.bfloat16):
        assert not module._falls_back(x)


def test_torch_takes_its_slow_path_just_where_slabs_are_used():
    """If torch changes its rule, this shortcut has to follow or to go."""
    module = made(16, 16, 3, padding=1)
    for size, slow in (((32, 40, 32), True), ((33, 40, 32), False), ((16, 20, 16), True)):
        x = torch.randn(1, 16, *size)
        with torch.profiler.profile() as seen, torch.no_grad(), plain():
            module(x)
        names = {event.key for event in seen.key_averages()}
        assert ("aten::slow_conv3d" in names) is slow is module._falls_back(x)
        with torch.profiler.profile() as seen, torch.no_grad():
            module(x)
        assert "aten::slow_conv3d" not in {event.key for event in seen.key_averages()}


@pytest.mark.parametrize(
    "network", [GliomaSegResNet(2, 8), GliomaDynUNet(2, (8, 8, 8, 8))], ids=["segresnet", "dynunet"]
)
def test_networks_use_them_and_keep_their_numbers(network):
    assert any(isinstance(module, SlabConv3d) for module in network.modules())
    network.eval()
    image = torch.randn(1, 2, 19, 21, 17)
    with torch.no_grad():
        found = network.forward_whole_volume(image)
        with plain():
            expected = network.forward_whole_volume(image)
    assert (found[1] - expected[1]).abs().max() <= 1e-4 * expected[1].abs().max()
    assert all((a - b).abs().max() <= 1e-4 * b.abs().max() for a, b in zip(found[0], expected[0], strict=True))
