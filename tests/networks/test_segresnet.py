import pytest
import torch
from monai.networks.nets import SegResNet
from safetensors.torch import save_file

from glioma_os.errors import ConfigError, DataError, IntegrityError
from glioma_os.networks.contracts import SegmentationNetwork
from glioma_os.networks.inference import latents, segment
from glioma_os.networks.pooling import list_poolings
from glioma_os.networks.segresnet import GliomaSegResNet
from glioma_os.networks.weights import adapt_channels, checked_md5, load_weights, read_state_dict

FOUR, TWO = ("t1c", "t1", "t2", "flair"), ("t1c", "flair")


def small(channels=4):
    torch.manual_seed(0)
    return GliomaSegResNet(channels, init_filters=8, blocks_down=(1, 1, 1), blocks_up=(1, 1)).eval()


def bundle():
    """The Model-Zoo network as its configuration builds it."""
    return SegResNet(
        blocks_down=[1, 2, 2, 4], blocks_up=[1, 1, 1], init_filters=16, in_channels=4, out_channels=3, dropout_prob=0.2
    )


def test_bundle_layout():
    network = GliomaSegResNet(4)
    assert list(network.state_dict()) == list(bundle().state_dict())
    assert len(network.state_dict()) == 83
    assert sum(p.numel() for p in network.parameters()) == 4_702_227
    assert isinstance(network, SegmentationNetwork)


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_bundle_file_loads_strictly_and_predicts_the_same(tmp_path, suffix):
    original = bundle().eval()
    path = tmp_path / f"model.{suffix}"
    if suffix == "pt":
        torch.save(original.state_dict(), path)
    else:
        save_file(original.state_dict(), path)
    network = GliomaSegResNet(4).eval()
    assert load_weights(network, path, FOUR, FOUR, md5=checked_md5(path)[:8]) == 83
    image = torch.randn(1, 4, 16, 16, 16)
    with torch.no_grad():
        assert torch.allclose(network(image), original(image), atol=1e-5)


def test_wrong_md5_other_shapes_and_code_are_refused(tmp_path):
    path = tmp_path / "model.pt"
    torch.save(small().state_dict(), path)
    with pytest.raises(IntegrityError, match="md5"):
        read_state_dict(path, "870e677b")
    with pytest.raises(IntegrityError, match="another shape"):
        load_weights(GliomaSegResNet(4), path, FOUR, FOUR)
    prefixed = {f"module.{name}": tensor for name, tensor in small().state_dict().items()}
    torch.save(prefixed, path)
    with pytest.raises(IntegrityError, match="missing"):
        load_weights(small(), path, FOUR, FOUR)
    torch.save({"network": small()}, path)
    with pytest.raises(IntegrityError, match="refused"):
        read_state_dict(path)
    torch.save({"epoch": 3}, path)
    with pytest.raises(DataError, match="plain state dict"):
        read_state_dict(path)
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(IntegrityError):
        read_state_dict(path)


def test_fewer_channels_keep_the_response_to_equal_channels():
    """With every channel alike, two rescaled slices answer as the four they came from would, had those been alike."""
    state = small().state_dict()
    (key,) = small().input_convolutions()
    state[key] = state[key].mean(1, keepdim=True).expand_as(state[key]).clone()
    two = small(2)
    two.load_state_dict(adapt_channels(state, [key], FOUR, TWO))
    four = small()
    four.load_state_dict(state)
    image = torch.randn(1, 1, 8, 8, 8)
    with torch.no_grad():
        assert torch.allclose(two(image.expand(-1, 2, -1, -1, -1)), four(image.expand(-1, 4, -1, -1, -1)), atol=1e-5)


def test_surgery_takes_the_named_slices():
    state = small().state_dict()
    (key,) = small().input_convolutions()
    out = adapt_channels(state, [key], FOUR, TWO)
    assert torch.equal(out[key], state[key][:, [0, 3]] * 2)
    with pytest.raises(ConfigError, match="t2"):
        adapt_channels(state, [key], TWO, ("t2",))


def test_maps_and_logits_of_a_whole_case_are_the_forward_pass():
    network, image = small(), torch.randn(2, 4, 16, 8, 12)
    with torch.no_grad():
        maps, logits = network.forward_whole_volume(image)
        assert tuple(level.shape[1] for level in maps) == network.level_channels
        assert torch.equal(logits, network(image))
        alone, nothing = network.forward_whole_volume(image, decode=False)
        assert nothing is None and all(torch.equal(one, other) for one, other in zip(maps, alone, strict=True))


@pytest.mark.parametrize("shape", [(8, 8, 8), (9, 13, 7), (5, 16, 11)])
def test_any_size_comes_back_as_it_went_in(shape):
    network, image = small(), torch.randn(1, 4, *shape)
    probabilities = segment(network, image)
    assert probabilities.shape == (1, 3, *shape)
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    with torch.inference_mode():
        maps, _ = network.forward_whole_volume(image)
        network.normalization_volume = (32, 32, 32)
        in_field, _ = network.forward_whole_volume(image)
    expected = [tuple(-(-size // 2**level) for size in shape) for level in range(3)]
    assert [tuple(level.shape[2:]) for level in maps] == [tuple(level.shape[2:]) for level in in_field] == expected


@pytest.mark.parametrize("name", list_poolings())
def test_every_pooling_gives_one_finite_length_for_every_size(name):
    network = small()
    sizes = {latents(network, torch.randn(1, 4, *shape), name).shape for shape in [(12, 12, 12), (13, 9, 22)]}
    assert len(sizes) == 1
    assert torch.isfinite(latents(network, torch.randn(2, 4, 12, 12, 12), name)).all()


def test_tumour_pooling_looks_where_the_tumour_is():
    deep = torch.zeros(1, 3, 4, 4, 4)
    deep[:, :, :2] = 5.0
    tumour = torch.zeros(1, 1, 8, 8, 8)
    tumour[:, :, :4] = 1.0
    pooled = list_poolings()["tumour"]([torch.zeros(1, 2, 8, 8, 8), deep], tumour)
    assert torch.allclose(pooled[0, :3], torch.full((3,), 5.0), atol=1e-3)
    assert torch.allclose(pooled[0, 3], torch.log1p(tumour.sum()))
