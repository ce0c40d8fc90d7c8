import numpy as np
import torch

from glioma_os.modules.fusion import FusionModule, cox, cross_entropy
from glioma_os.networks.heads import BatchedMLP
from glioma_os.records import FusionBatch
from glioma_os.survival.likelihoods import cox_log_likelihood
from tests.survival.samples import censored


def batch_of(inputs, time, event, padding=3):
    order = np.argsort(-time, kind="stable")
    target = np.zeros((1, len(time) + padding, 2))
    target[0, : len(time)] = np.column_stack([time, event])[order]
    features = np.zeros((1, len(time) + padding, inputs.shape[1]))
    features[0, : len(time)] = inputs[order]
    weight = np.zeros((1, len(time) + padding))
    weight[0, : len(time)] = 1
    return FusionBatch(*(torch.from_numpy(part) for part in (features, target, weight))), order


def test_cox_objective_equals_the_numpy_likelihood_and_its_gradient():
    inputs, time, event = censored(0)
    batch, order = batch_of(inputs, time, event)
    output = (batch.features[..., :1] * 1.5).requires_grad_()
    loss = cox(batch)(output)
    expected = cox_log_likelihood(1.5 * inputs[:, 0], time, event, "breslow")
    assert np.isclose(loss.item(), -expected.value / event.sum())
    loss.sum().backward()
    gradient = output.grad[0, :, 0].numpy()
    assert np.allclose(gradient[: len(time)], -expected.gradient[order] / event.sum())
    assert (gradient[len(time) :] == 0).all()


def test_cox_objective_is_finite_for_extreme_log_hazards():
    inputs, time, event = censored(1)
    batch, _ = batch_of(inputs, time, event)
    output = torch.linspace(-700, 700, batch.weight.shape[1], dtype=torch.float64)[None, :, None].requires_grad_()
    loss = cox(batch)(output)
    loss.sum().backward()
    assert torch.isfinite(loss).all() and torch.isfinite(output.grad).all()


def test_cross_entropy_equals_torch_on_the_weighted_rows():
    torch.manual_seed(0)
    output = torch.randn(2, 6, 3, dtype=torch.float64)
    classes = torch.randint(0, 3, (2, 6))
    weight = torch.tensor([[1, 1, 1, 1, 0, 0], [1, 0, 1, 1, 1, 1]]).double()
    one_hot = torch.nn.functional.one_hot(classes, 3).double()
    loss = cross_entropy(FusionBatch(output, one_hot, weight))(output)
    used = [row > 0 for row in weight]
    expected = [
        torch.nn.functional.cross_entropy(output[member, rows], classes[member, rows])
        for member, rows in enumerate(used)
    ]
    assert torch.isclose(loss, sum(expected))


def test_weight_decay_is_the_gradient_of_half_the_squares_and_its_own_members():
    network, rates = BatchedMLP([1, 2], [3, 3], hidden=4, out=1), torch.tensor([0.0, 3.0], dtype=torch.float64)
    inputs = torch.randn(2, 5, 3, dtype=torch.float64)
    weights = network.first_weight, network.last_weight
    found, expected = [], []
    for decayed, into in ((True, found), (False, expected)):
        network.zero_grad()
        loss = network(inputs).square().sum()
        if not decayed:
            loss = loss + sum((rates / 2 * weight.square().sum((1, 2))).sum() for weight in weights)
        loss.backward()
        if decayed:
            network.decay(rates)
        into += [parameter.grad.clone() for parameter in network.parameters()]
    assert all(torch.allclose(one, other) for one, other in zip(found, expected, strict=True))


def test_weight_decay_shrinks_its_own_member_only():
    network, decay = BatchedMLP([1, 1], [3, 3], hidden=4, out=1), torch.tensor([0.0, 100.0], dtype=torch.float64)
    module = FusionModule([network], cox, decay, steps=40, learning_rate=0.05)
    inputs, time, event = censored(2)
    single, _ = batch_of(inputs, time, event)
    batch = FusionBatch(*(part.repeat(2, *[1] * (part.ndim - 1)) for part in single))
    module.descend(network, module.configure_optimizers()[0], batch, decay)
    plain, shrunk = network.first_weight.square().sum((1, 2)).tolist()
    assert shrunk < 0.1 * plain
