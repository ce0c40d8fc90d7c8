import pytest
import torch
from torch import nn
from torch.nn import functional as F

from glioma_os.errors import ConfigError
from glioma_os.fast import plain
from glioma_os.networks.fast import normalization_volume
from glioma_os.networks.fast.face_shell import empty_volume_moments, measure_shells, plan_level, resize_shell
from glioma_os.networks.fast.group_norm import ChannelsLastGroupNorm, channel_moments, scale_shift
from glioma_os.networks.fast.normalization_volume import _normalize, _State, forward_in_volume
from glioma_os.networks.segresnet import GliomaSegResNet


def norms(channels=16, groups=8):
    torch.manual_seed(0)
    ours, theirs = ChannelsLastGroupNorm(groups, channels), nn.GroupNorm(groups, channels)
    nn.init.normal_(theirs.weight)
    nn.init.normal_(theirs.bias)
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5), (torch.bfloat16, 2e-2)]
)
@pytest.mark.parametrize("batch", [1, 3])
def test_gradients_are_torchs(dtype, tolerance, batch):
    ours, theirs = norms()
    if dtype is torch.float64:
        ours, theirs = ours.double(), theirs.double()
    x = (3 + 2 * torch.randn(batch, 16, 5, 6, 7)).to(dtype)
    dy = torch.randn(batch, 16, 5, 6, 7).to(dtype)
    results = []
    for norm, layout in ((ours, torch.channels_last_3d), (theirs, torch.contiguous_format)):
        given = x.contiguous(memory_format=layout).requires_grad_()
        y = norm(given)
        results.append([y.detach(), *torch.autograd.grad((y * dy).sum(), [given, norm.weight, norm.bias])])
    for mine, reference in zip(*results, strict=True):
        assert (mine - reference).abs().max() <= tolerance * reference.abs().max()


@pytest.mark.parametrize("shape", [(64, 64, 80), (41, 31, 23), (3, 5, 7)], ids=["even", "odd", "few"])
def test_moments_are_exact_over_slabs(shape, layout=torch.channels_last_3d):
    x = (3 + 2 * torch.randn(1, 8, *shape)).contiguous(memory_format=layout)
    expected = x.double().mean((0, 2, 3, 4)), x.double().square().mean((0, 2, 3, 4))
    for found, value in zip(channel_moments(x), expected, strict=True):
        assert torch.allclose(found, value, rtol=1e-6)


@pytest.mark.parametrize("sizes", [(11, 12, 13), (4, 4, 4)], ids=["larger", "as_large"])
def test_moments_of_an_empty_volume_are_those_of_its_shell_stretched_to_it(sizes):
    level, rim = plan_level(sizes, 4, torch.device("cpu")), torch.randn(1, 8, 4, 4, 4)
    field = resize_shell(rim, list(sizes)).double()
    expected = torch.stack([field.mean((0, 2, 3, 4)), field.square().mean((0, 2, 3, 4))])
    assert level.sides == [4, 4, 4] and torch.allclose(empty_volume_moments(rim, level), expected, rtol=1e-6, atol=1e-7)


def test_moments_of_a_wide_level_with_little_spread():
    """Most of a whole volume is background: a number that repeats, whose float32 sums round the same way each time."""
    x = 0.3 + torch.zeros(1, 16, 64, 64, 64)
    x[..., 20:30, 20:30] += torch.randn(1, 16, 64, 10, 10)
    mean, square = channel_moments(x.contiguous(memory_format=torch.channels_last_3d))
    expected, spread = x.double().mean((0, 2, 3, 4)), x.double().var((0, 2, 3, 4), correction=0)
    assert ((mean - expected) / spread.sqrt()).abs().max() < 1e-5
    assert torch.allclose(square - mean**2, spread, rtol=1e-4)


def test_statistics_are_those_of_the_whole_volume():
    """Reference: the box inside a whole volume of background, whose faces differ, as their padding makes them."""
    norm, _ = norms()
    background = torch.randn(2, 16)
    empty = background[:, :, None, None, None].expand(2, 16, 8, 9, 10).clone()
    for axis in (2, 3, 4):
        for face in (0, -1):
            empty.select(axis, face).add_(torch.randn(2, 16, 1, 1))
    whole, activation = empty.clone(), torch.randn(2, 16, 4, 5, 6)
    whole[:, :, 2:6, 2:7, 2:8] = activation
    expected = F.relu(norm(whole))
    rim = empty[:, :, [0, 1, 7]][:, :, :, [0, 1, 8]][..., [0, 1, 9]]
    with torch.no_grad():
        shifted, outside, faces = _normalize(
            norm,
            _State(activation - background[:, :, None, None, None], background.double(), rim),
            plan_level([8, 9, 10], 3, norm.weight.device),
        )
    outside = outside.float()
    assert torch.allclose(shifted + outside[:, :, None, None, None], expected[:, :, 2:6, 2:7, 2:8], atol=1e-5)
    assert torch.allclose(faces[:, :, 0, 0, 0], expected[:, :, 0, 0, 0], atol=1e-5)
    assert torch.allclose(faces[:, :, 1, 1, 1], outside, atol=1e-5)


def network(volume=(64, 64, 64), **options):
    torch.manual_seed(0)
    return GliomaSegResNet(4, 8, (1, 1), (1,), normalization_volume=volume, **options).eval()


def test_the_amount_of_padding_makes_no_difference():
    """Margins are beyond what one voxel can reach; without the volume the same two boxes differ."""
    brain = torch.randn(1, 4, 8, 8, 8)
    narrow, wide = F.pad(brain, (14,) * 6), F.pad(brain, (22,) * 6)
    with torch.inference_mode():
        maps, logits = forward_in_volume(network(), narrow, (64, 64, 64), True)
        more, wider = forward_in_volume(network(), wide, (64, 64, 64), True)
        plain = network(None)
        apart = (plain(wide)[..., 8:-8, 8:-8, 8:-8] - plain(narrow)).abs().max()
    assert torch.allclose(wider[..., 8:-8, 8:-8, 8:-8], logits, atol=1e-4)
    assert torch.allclose(more[1][..., 4:-4, 4:-4, 4:-4], maps[1], atol=1e-4)
    assert apart > 0.05


@pytest.mark.parametrize("cut", [(0, 0, 0), (1, 0, 1), (3, 5, 2), (0, 7, 1)], ids=str)
def test_a_box_in_its_volume_is_as_in_the_whole_volume(cut):
    """Brain, box, and faces are further apart than this network reaches, so nothing is left out, whatever its size."""
    brain = F.pad(torch.randn(1, 4, 8, 8, 8, dtype=torch.float64), (20,) * 6)
    d, h, w = (48 - less for less in cut)
    box = brain[:, :, :d, :h, :w]
    with torch.inference_mode():
        maps, whole = network(None).double().forward_whole_volume(F.pad(brain, (24,) * 6))
        in_volume, logits = network((96, 96, 96)).double().forward_whole_volume(box)
        alone = network(None).double()(brain)
    inside = whole[..., 24:-24, 24:-24, 24:-24]
    assert torch.allclose(logits, inside[..., :d, :h, :w], atol=1e-6)
    half = maps[1][..., 12:-12, 12:-12, 12:-12]
    assert torch.allclose(in_volume[1], half[..., : -(-d // 2), : -(-h // 2), : -(-w // 2)], atol=1e-6)
    assert (alone - inside).abs().max() > 0.05


@pytest.mark.parametrize("side", [3, 4, 6, 9])
def test_a_shell_of_another_size_is_cut_or_stretched_in_its_middle(side):
    """Planes 0, 1 | 5, 5, … | 8, 9: what lies along the middle is alike."""
    axis = torch.tensor([0.0, 1, 5, 5, 8, 9])
    rim = (axis[:, None, None] + 10 * axis[:, None] + 100 * axis)[None, None]
    expected = {3: [0, 8, 9], 4: [0, 1, 8, 9], 6: [0, 1, 5, 5, 8, 9], 9: [0, 1, 5, 5, 5, 5, 5, 8, 9]}[side]
    line = torch.tensor(expected, dtype=torch.float32)
    assert torch.equal(resize_shell(rim, [side] * 3)[0, 0], line[:, None, None] + 10 * line[:, None] + 100 * line)


LAYOUTS = [((1, 2, 2, 4), (1, 1, 1)), ((2, 2, 2, 2), (1, 1, 1)), ((1, 1, 1), (1, 1)), ((1, 1), (1,))]
LARGER = [
    ((3, 3, 3, 3), (3, 3, 3)), ((4, 4, 4), (2, 2)), ((1, 2, 2, 4, 4), (1, 1, 1, 1)), ((1, 8), (1,)),
    ((1, 1, 1, 1), (1, 1, 1)),
]  # fmt: skip


def randomized(down, up, volume):
    """Random norms, or faces would hardly be felt."""
    torch.manual_seed(0)
    network = GliomaSegResNet(4, 8, down, up, normalization_volume=volume).eval()
    for norm in network.modules():
        if isinstance(norm, torch.nn.GroupNorm):
            norm.weight.data.add_(0.3 * torch.randn_like(norm.weight))
            norm.bias.data.add_(0.3 * torch.randn_like(norm.bias))
    return network


def error(found, expected):
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize(
    ("down", "up"), [*LAYOUTS, *(pytest.param(*layout, marks=pytest.mark.slow) for layout in LARGER)], ids=str
)
def test_shells_stand_for_the_whole_empty_volume_whatever_the_depth(monkeypatch, down, up):
    """Reference: an empty volume without anything left out."""
    network, image, found = randomized(down, up, (112, 96, 96)), F.pad(torch.randn(1, 4, 24, 16, 16), (8,) * 6), []
    with torch.inference_mode():
        for measure in (measure_shells, lambda down, up: ([112] * len(down), [112] * len(up))):
            monkeypatch.setattr(normalization_volume, "measure_shells", measure)
            maps, logits = network.forward_whole_volume(image)
            found.append((maps[-1], logits))
    latents, logits = (error(small, whole) for small, whole in zip(*found, strict=True))
    assert latents < 0.005 and logits < 0.008


def test_the_bundles_shells_are_those_of_published_numbers():
    assert measure_shells((1, 2, 2, 4), (1, 1, 1)) == ((8, 16, 16, 10), (64, 32, 20))


@pytest.mark.parametrize(
    ("down", "up", "side"),
    [((1, 1), (1,), 80), pytest.param((2, 1), (2,), 112, marks=pytest.mark.slow),
     pytest.param((3, 2), (1,), 112, marks=pytest.mark.slow)], ids=str,
)  # fmt: skip
def test_a_box_in_its_volume_is_the_plain_forward_of_the_whole_padded_volume(down, up, side):
    """Networks that reach less far than brain, box and faces are apart."""
    network = randomized(down, up, (side,) * 3).double()  # float32 sums of so many voxels are off by 1 %
    image = F.pad(torch.randn(1, 4, 4, 4, 4, dtype=torch.float64), (22,) * 6)
    with torch.inference_mode():
        maps, logits = network.forward_whole_volume(image)
        with plain():
            plain_maps, plain_logits = network.forward_whole_volume(image)
    assert error(logits, plain_logits) < 1e-12 and error(maps[1], plain_maps[1]) < 1e-12


def test_scale_and_shift_are_one_pass_in_every_torch():
    """torch.nn.functional.batch_norm of versions below 2.13 refuses an epsilon of 0."""
    x = torch.randn(1, 8, 3, 4, 5).contiguous(memory_format=torch.channels_last_3d)
    scale, shift = torch.randn(2, 8, dtype=torch.float64)
    with plain():
        expected = scale_shift(x, scale, shift)
    assert torch.allclose(scale_shift(x, scale, shift), expected, atol=1e-6)


def test_the_switch_chooses_torchs_own_normalization():
    ours, theirs = norms()
    x = torch.randn(1, 16, 5, 6, 7).contiguous(memory_format=torch.channels_last_3d)
    with plain():
        assert torch.equal(ours(x), theirs(x))


def test_layouts_agree_and_a_wrong_volume_is_refused():
    image = torch.randn(2, 4, 16, 16, 16)
    with torch.inference_mode():
        networks = [network((32, 32, 32), channels_last=last) for last in (True, False)]
        one, other = (each.forward_whole_volume(image)[1] for each in networks)
    assert torch.allclose(one, other, atol=1e-4)
    with pytest.raises(ConfigError, match="normalization_volume"):
        GliomaSegResNet(4, normalization_volume=(240, 240))
