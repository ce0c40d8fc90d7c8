import torch

from glioma_os.networks.memory import checkpoint_activations
from glioma_os.networks.segresnet import GliomaSegResNet


def gradients(checkpointed):
    torch.manual_seed(0)
    network = GliomaSegResNet(2, init_filters=8, blocks_down=(1, 1, 1), blocks_up=(1, 1), dropout=0.2)
    names = list(network.state_dict())
    if checkpointed:
        checkpoint_activations(network)
    assert list(network.state_dict()) == names
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor.numel()) or tensor, lambda t: t):
        torch.manual_seed(1)
        loss = network(torch.randn(1, 2, 16, 16, 16)).square().mean()
    loss.backward()
    return {name: parameter.grad for name, parameter in network.named_parameters()}, sum(kept)


def test_checkpointed_activations_give_the_same_gradients_from_less_memory():
    plain, much = gradients(False)
    spared, little = gradients(True)
    assert all(torch.equal(plain[name], spared[name]) for name in plain)
    assert little < 0.7 * much
