import pytest
import torch

from glioma_os.fast import plain
from glioma_os.networks.fast.dropout_masks import draw_masks, mix
from glioma_os.networks.heads import BatchedMLP


def test_members_do_not_touch_each_other_or_their_padding():
    network = BatchedMLP([1, 2], [3, 2], hidden=4, out=2)
    inputs = torch.randn(2, 5, 3, dtype=torch.float64)
    alone = BatchedMLP([2], [2], hidden=4, out=2)
    inputs[1, :, 2] = 0
    assert torch.allclose(network(inputs)[1], alone(inputs[1:, :, :2])[0])
    assert network(inputs).shape == (2, 5, 2)


def test_the_mixer_gives_splitmix64s_published_numbers():
    """Seed 1234567, as Rosetta Code lists them."""
    drawn = [(1234567 + k * 0x9E3779B97F4A7C15) % (1 << 64) for k in range(1, 6)]
    states = torch.tensor([state - (state >> 63 << 64) for state in drawn])
    found = [number % (1 << 64) for number in mix(states).tolist()]
    assert found == [
        6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821
    ]  # fmt: skip


def test_dropout_is_the_members_own():
    seeds = torch.tensor([5, 9])
    for dropout in (0.1, 0.25, 0.5, 0.9):
        kept = draw_masks(seeds, range(3, 4), 50, 200, dropout)[0]
        assert set(kept.unique().tolist()) == {0, 1}
        assert torch.equal(kept[1:, :, :120], draw_masks(seeds[1:], range(3, 4), 50, 120, dropout)[0])
        # 10,000 draws a member: a standard error of .005 at most
        assert torch.allclose(kept.double().mean((1, 2)), torch.full((2,), 1 - dropout).double(), atol=0.02)
    kept, later = draw_masks(seeds, range(3, 5), 50, 200, 0.5).double()
    beside = [(kept[0], kept[1]), (kept[0], later[0]), (kept[0, 1:], kept[0, :-1])]
    rows = [(kept[0, :, apart:], kept[0, :, :-apart]) for apart in range(1, 9)]  # eight of them share a hash
    for one, other in beside + rows:
        assert abs(torch.corrcoef(torch.stack([one.ravel(), other.ravel()]))[0, 1]) < 0.04


@pytest.mark.parametrize("dropout", [0.1, 0.5, 0.9])
def test_masks_are_those_of_the_plain_hash(dropout):
    seeds = torch.tensor([5, -9, 2**40])
    with plain():
        expected = draw_masks(seeds, range(3, 5), 6, 21, dropout)
    assert torch.equal(draw_masks(seeds, range(3, 5), 6, 21, dropout), expected)


def test_a_steps_mask_is_the_same_however_many_are_drawn_together():
    network = BatchedMLP([5, 6], [3, 3], hidden=8, out=1, dropout=0.5)
    drawn = [torch.stack(list(network.masks(7, 10, n_steps))) for n_steps in (1, 3, 8)]
    assert drawn[0].shape == (7, 2, 8, 10) and all(torch.equal(drawn[0], other) for other in drawn[1:])
    assert list(BatchedMLP([5], [3], hidden=8, out=1).masks(2, 10)) == [None, None]


def test_dropout_keeps_the_mean():
    network = BatchedMLP([5], [3], hidden=8, out=1, dropout=0.3)
    inputs = torch.ones(1, 4, 3, dtype=torch.float64)
    with torch.no_grad():
        dropped = torch.stack([network(inputs, kept) for kept in network.masks(4000, 4)])
        assert torch.allclose(dropped.mean(dim=0), network(inputs), atol=0.02)
        # the variance that inverted dropout has: p / (1 - p) times the sum of (w h)² over hidden units
        hidden = torch.nn.functional.silu(network.first_weight.sum(-1))
        variance = network.dropout / (1 - network.dropout) * (network.last_weight[:, 0] * hidden).square().sum()
        assert torch.allclose(dropped.var(dim=0), variance, rtol=0.1)
