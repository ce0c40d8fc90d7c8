"""Every yaml of conf/network, every pooling and every transfer policy, found and driven; and a strange package's."""

import importlib
import inspect
import sys

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from glioma_os.__main__ import config_folder
from glioma_os.config import registry
from glioma_os.errors import ConfigError
from glioma_os.networks.pooling import list_poolings, pooling
from tests.contracts.network_contract import check_network, check_policy
from tests.contracts.test_conf import build

CONF = config_folder()
NETWORKS = sorted(path.stem for path in (CONF / "network").glob("*.yaml"))
POLICIES = sorted(path.stem for path in (CONF / "transfer").glob("*.yaml"))
SMALL = ["network.init_filters=8", "network.blocks_down=[1,1,1]", "network.blocks_up=[1,1]"]


def configured(*overrides):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("config", overrides=list(overrides))


def maker(*overrides):
    node = configured(*overrides).network
    return lambda channels: build(node, "network", channels=channels)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_trained_saved_loaded_sliced_run_on_odd_sizes_and_pooled(name, cohorts, tmp_path):
    check_network(maker(f"network={name}"), cohorts["brats2020"], tmp_path)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_yaml_writes_out_every_hyper_parameter_and_the_codes_default(name):
    node = OmegaConf.to_container(configured(f"network={name}").network)
    options = inspect.signature(registry.load_target(node.pop("_target_"), "network")).parameters
    defaults = {key: list(p.default) if isinstance(p.default, tuple) else p.default for key, p in options.items()}
    defaults.pop("channels")
    if name == "segresnet_bundle":  # a preset: what it is for differs
        assert node.pop("normalization_volume") and defaults.pop("normalization_volume") is None
    assert node == defaults


@pytest.mark.parametrize("name", POLICIES)
def test_what_a_policy_freezes_does_not_move(name, cohorts, tmp_path):
    policy = build(configured(f"transfer={name}").transfer, "transfer")
    assert policy.name == name
    check_policy(maker("network=segresnet", *SMALL), policy, cohorts["brats2020"], tmp_path)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_papers_presets_take_any_network(name):
    network = configured("experiment=brats4ch", f"network={name}").network
    assert network._target_ == configured(f"network={name}").network._target_
    assert configured("experiment=brats4ch").network.normalization_volume == [224, 224, 144]


STRANGE = '''
import torch
from torch import nn
from glioma_os.modules.transfer import TransferPolicy
from glioma_os.networks.padding import crop_maps, pad_to_multiple
from glioma_os.networks.pooling import Pooling


class TinyNetwork(nn.Module):
    """Two levels, a weight that is used twice, and a parameter that lies in no module."""

    def __init__(self, channels, width=4):
        super().__init__()
        self.first = nn.Conv3d(channels, width, 3, padding=1)
        self.deep = nn.Conv3d(width, width, 4, stride=4)
        self.same = nn.Conv3d(width, width, 1)
        self.tied = self.same
        self.out = nn.ConvTranspose3d(width, 3, 4, stride=4)
        self.scale = nn.Parameter(torch.ones(1))
        self.level_channels, self.divisor = (width, width, width), 4

    def maps(self, image):
        shallow = self.first(image).relu()
        return [shallow, self.same(nn.functional.avg_pool3d(shallow, 2)), self.tied(self.deep(shallow))]

    def forward(self, image):
        return self.scale * self.out(self.maps(image)[-1])

    def forward_whole_volume(self, image, decode=True):
        maps, (d, h, w) = self.maps(pad_to_multiple(image, 4)), image.shape[2:]
        logits = (self.scale * self.out(maps[-1]))[:, :, :d, :h, :w] if decode else None
        return crop_maps(maps, image.shape[2:]), logits

    def encoder_stages(self):
        return [[self.first], [self.same], [self.deep]]

    def input_convolutions(self):
        return ("first.weight",)


MAXIMUM = Pooling("strange_maximum", lambda levels, tumour: levels[-1].float().amax((2, 3, 4)))


class TopOnly(TransferPolicy):
    label = "top_only"

    def schedule_stage(self, above, depth, lr):
        return lr, 0.0 if above == depth else None
'''


@pytest.fixture
def strange_package(tmp_path, monkeypatch):
    """An installed package with a network, a pooling and a policy, and a folder of its yamls."""
    site, conf = tmp_path / "site", tmp_path / "conf"
    information = site / "strange_nets-1.0.dist-info"
    for folder in (site / "strange_nets", information, conf / "network", conf / "transfer"):
        folder.mkdir(parents=True)
    (site / "strange_nets/__init__.py").write_text("")
    (site / "strange_nets/tiny.py").write_text(STRANGE)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: strange-nets\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(
        "[glioma_os.network]\ntiny = strange_nets.tiny:TinyNetwork\n"
        "[glioma_os.pooling]\nstrange_maximum = strange_nets.tiny:MAXIMUM\n"
        "[glioma_os.transfer]\ntop_only = strange_nets.tiny:TopOnly\n"
    )
    (conf / "network/tiny.yaml").write_text("_target_: strange_nets.tiny.TinyNetwork\nwidth: 4\n")
    (conf / "transfer/top_only.yaml").write_text("_target_: strange_nets.tiny.TopOnly\nname: top_only\n")
    monkeypatch.syspath_prepend(str(site))
    importlib.invalidate_caches()
    registry._added.cache_clear()
    yield f"hydra.searchpath=[file://{conf}]"
    registry._added.cache_clear()
    for name in [name for name in sys.modules if name.startswith("strange_nets")]:
        del sys.modules[name]


def test_a_strange_packages_network_pooling_and_policy_pass_the_same_contract(strange_package, cohorts, tmp_path):
    assert "strange_maximum" in list_poolings()
    make = maker("network=tiny", strange_package)
    check_network(make, cohorts["brats2020"], tmp_path / "network")
    policy = build(configured("transfer=top_only", strange_package).transfer, "transfer")
    check_policy(make, policy, cohorts["brats2020"], tmp_path / "policy")


def test_a_pooling_that_needs_the_tumour_says_so():
    maps, needing = [torch.ones(1, 2, 4, 4, 4)], {n for n, pool in list_poolings().items() if pool.needs_tumour}
    assert needing == {"tumour", "tumour_pyramid"}
    for name in needing:
        with pytest.raises(ValueError, match=name):
            pooling(name)(maps)
    with pytest.raises(ConfigError, match="mean_max_std"):
        pooling("median")
