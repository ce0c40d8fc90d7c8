import torch

from glioma_os.networks.heads import BatchedMLP, _uniform


def test_members_do_not_touch_each_other_or_their_padding():
    network = BatchedMLP([1, 2], [3, 2], hidden=4, out=2)
    inputs = torch.randn(2, 5, 3, dtype=torch.float64)
    alone = BatchedMLP([2], [2], hidden=4, out=2)
    inputs[1, :, 2] = 0
    assert torch.allclose(network(inputs)[1], alone(inputs[1:, :, :2])[0])
    assert network(inputs).shape == (2, 5, 2) and network.penalty().shape == (2,)


def test_dropout_is_the_members_own_and_scaled():
    seeds = torch.tensor([5, 9])
    drawn = _uniform(seeds, 3, 200, 50)
    assert torch.equal(drawn[1:, :120], _uniform(seeds[1:], 3, 120, 50))
    assert abs(drawn.mean() - 0.5) < 0.01 and abs(drawn.var() - 1 / 12) < 0.005
    assert abs(torch.corrcoef(torch.stack([drawn[0].ravel(), drawn[1].ravel()]))[0, 1]) < 0.03
    assert abs(torch.corrcoef(torch.stack([drawn[0].ravel(), _uniform(seeds, 4, 200, 50)[0].ravel()]))[0, 1]) < 0.03
    assert abs(torch.corrcoef(torch.stack([drawn[0, 1:].ravel(), drawn[0, :-1].ravel()]))[0, 1]) < 0.03
    network = BatchedMLP([5], [3], hidden=8, out=1, dropout=0.5)
    inputs = torch.ones(1, 4, 3, dtype=torch.float64)
    assert not torch.equal(network(inputs, step=1), network(inputs, step=2))
    assert torch.equal(network.eval()(inputs, step=1), network(inputs, step=2))
