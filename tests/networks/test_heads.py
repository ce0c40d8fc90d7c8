import torch

from glioma_os.networks.heads import BatchedMLP, _kept, _KeptSiLU, _mixed


def test_members_do_not_touch_each_other_or_their_padding():
    network = BatchedMLP([1, 2], [3, 2], hidden=4, out=2)
    inputs = torch.randn(2, 5, 3, dtype=torch.float64)
    alone = BatchedMLP([2], [2], hidden=4, out=2)
    inputs[1, :, 2] = 0
    assert torch.allclose(network(inputs)[1], alone(inputs[1:, :, :2])[0])
    assert network(inputs).shape == (2, 5, 2) and network.penalty().shape == (2,)


def test_the_mixer_gives_splitmix64s_published_numbers():
    """Seed 1234567, as Rosetta Code lists them."""
    drawn = [(1234567 + k * 0x9E3779B97F4A7C15) % (1 << 64) for k in range(1, 6)]
    states = torch.tensor([state - (state >> 63 << 64) for state in drawn])
    found = [number % (1 << 64) for number in _mixed(states).tolist()]
    assert found == [
        6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821
    ]  # fmt: skip


def test_dropout_is_the_members_own():
    seeds = torch.tensor([5, 9])
    for dropout in (0.1, 0.25, 0.5, 0.9):
        kept = _kept(seeds, 3, 50, 200, dropout, torch.float64)
        assert set(kept.unique().tolist()) == {0, 1}
        assert torch.equal(kept[1:, :, :120], _kept(seeds[1:], 3, 50, 120, dropout, torch.float64))
        # 10,000 draws a member: a standard error of .005 at most
        assert torch.allclose(kept.mean((1, 2)), torch.full((2,), 1 - dropout, dtype=torch.float64), atol=0.02)
    kept, later = (_kept(seeds, step, 50, 200, 0.5, torch.float64) for step in (3, 4))
    beside = [(kept[0], kept[1]), (kept[0], later[0]), (kept[0, 1:], kept[0, :-1])]
    rows = [(kept[0, :, apart:], kept[0, :, :-apart]) for apart in (1, 2, 3, 4)]  # four of them share a hash
    for one, other in beside + rows:
        assert abs(torch.corrcoef(torch.stack([one.ravel(), other.ravel()]))[0, 1]) < 0.04


def test_dropout_keeps_the_mean_and_sleeps_in_eval_mode():
    network = BatchedMLP([5], [3], hidden=8, out=1, dropout=0.5)
    inputs = torch.ones(1, 4, 3, dtype=torch.float64)
    assert not torch.equal(network(inputs, step=1), network(inputs, step=2))
    many = torch.stack([network(inputs, step=step) for step in range(2000)]).mean(dim=0)
    whole = network.eval()(inputs, step=1)
    assert torch.equal(whole, network(inputs, step=2))
    assert torch.allclose(many, whole, atol=0.1)


def test_the_gated_gradient_is_autograds():
    x, kept = torch.randn(2, 3, 5, dtype=torch.float64, requires_grad=True), (torch.rand(2, 3, 5) < 0.7).double()
    assert torch.allclose(_KeptSiLU.apply(x, kept), torch.nn.functional.silu(x) * kept)
    assert torch.autograd.gradcheck(_KeptSiLU.apply, (x, kept))
