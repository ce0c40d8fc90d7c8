import pytest
import torch

from glioma_os.errors import ConfigError
from glioma_os.modules.transfer import POLICIES, TransferPolicy, apply_freeze
from glioma_os.networks.segresnet import GliomaSegResNet


@pytest.fixture
def network():
    return GliomaSegResNet(2, init_filters=8, blocks_down=(1, 1, 1), blocks_up=(1, 1))


@pytest.mark.parametrize("name", POLICIES)
def test_every_parameter_is_in_exactly_one_group(network, name):
    groups = TransferPolicy(name).groups(network, 1e-3)
    ids = [id(p) for group in groups for p in group.parameters()]
    assert sorted(ids) == sorted(id(p) for p in network.parameters())


@pytest.mark.parametrize("name", POLICIES)
def test_what_is_frozen_does_not_move_and_the_rest_does(network, name):
    groups = TransferPolicy(name).groups(network, 1e-2)
    network.train()
    apply_freeze(groups, progress=0.0)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    trained = [g for g in groups if g.start is not None]
    optimizer = torch.optim.Adam([{"params": g.parameters(), "lr": g.lr} for g in trained], weight_decay=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        network(torch.randn(1, 2, 8, 8, 8)).pow(2).mean().backward()
        optimizer.step()
    after = network.state_dict()
    names = {id(p): key for key, p in network.named_parameters()}
    for group in groups:
        moves = group.start is not None and group.start <= 0
        changed = [not torch.equal(before[names[id(p)]], after[names[id(p)]]) for p in group.parameters()]
        assert all(changed) if moves else not any(changed), group.name
        assert all(module.training == moves for module in group.modules)


def test_gradual_thaws_from_deep_to_shallow(network):
    groups = TransferPolicy("gradual", decay=0.5, thaw=0.6).groups(network, 1.0)
    starts = [group.start for group in groups[:-1]]
    assert starts == sorted(starts, reverse=True) and starts[0] == pytest.approx(0.6)
    assert [group.lr for group in groups] == [0.125, 0.25, 0.5, 1.0]
    apply_freeze(groups, progress=1.0)
    assert all(p.requires_grad for p in network.parameters())


def test_unknown_policy_is_a_config_error():
    with pytest.raises(ConfigError, match="last_stage"):
        TransferPolicy("thawed")
