import pytest
import torch

from glioma_os.errors import ConfigError
from glioma_os.modules.transfer import Frozen, Full, Gradual, LastStage, Scratch, apply_freeze
from glioma_os.networks.segresnet import GliomaSegResNet

POLICIES = [Frozen(), Full(), Gradual(), LastStage(), Scratch()]


@pytest.fixture
def network():
    return GliomaSegResNet(2, init_filters=8, blocks_down=(1, 1, 1), blocks_up=(1, 1))


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_every_parameter_is_in_exactly_one_group(network, policy):
    groups = policy.groups(network, 1e-3)
    ids = [id(p) for group in groups for p in group.parameters()]
    assert sorted(ids) == sorted(id(p) for p in network.parameters())


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_what_is_frozen_does_not_move_and_the_rest_does(network, policy):
    groups = policy.groups(network, 1e-2)
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


def test_gradual_unfreezes_from_deep_to_shallow(network):
    groups = Gradual(decay=0.5, unfreeze=0.6).groups(network, 1.0)
    starts = [group.start for group in groups[:-1]]
    assert starts == sorted(starts, reverse=True) and starts[0] == pytest.approx(0.6)
    assert [group.lr for group in groups] == [0.125, 0.25, 0.5, 1.0]
    apply_freeze(groups, progress=1.0)
    assert all(p.requires_grad for p in network.parameters())


@pytest.mark.parametrize("wrong", [{"name": "melt"}, {"decay": 0.0}, {"unfreeze": 1.0}], ids=str)
def test_a_wrong_value_is_a_config_error(wrong):
    with pytest.raises(ConfigError, match="last_stage" if "name" in wrong else "decay"):
        Gradual(**wrong)


class Mixed(torch.nn.Module):
    """An encoder deep inside, shared modules, and parameters beside it: nothing may be lost or counted twice."""

    def __init__(self):
        super().__init__()
        inner = torch.nn.Module()
        inner.encode, inner.decode = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
        inner.position = torch.nn.Parameter(torch.zeros(2))
        self.inner, self.again = inner, inner.decode

    def encoder_stages(self):
        return [[self.inner.encode]]


def test_the_rest_of_any_network_is_found():
    network = Mixed()
    encoder, decoder = Frozen().groups(network, 1.0)
    assert encoder.parameters() == list(network.inner.encode.parameters())
    assert {id(p) for p in decoder.parameters()} == {id(network.inner.position), *map(id, network.again.parameters())}
    assert len(decoder.parameters()) == 3
    apply_freeze([encoder, decoder], 0.0)
    assert network.inner.position.requires_grad and not network.inner.encode.weight.requires_grad
