"""What any network must do, by the cheapest real path: the suite drives the shipped ones, a stranger's test its own."""

import copy
import math

import torch

from glioma_os.data.segmentation import SegmentationDataModule
from glioma_os.modules.segmenter import SegmenterModule, supervise
from glioma_os.modules.transfer import Full
from glioma_os.networks.contracts import SegmentationNetwork
from glioma_os.networks.inference import latents, segment
from glioma_os.networks.memory import checkpoint_activations
from glioma_os.networks.padding import pad_to_multiple
from glioma_os.networks.pooling import list_poolings
from glioma_os.networks.weights import load_weights
from glioma_os.training.fit import fit_segmenter
from glioma_os.training.options import TrainerOptions
from glioma_os.training.run import WEIGHTS, Run
from glioma_os.volumes.store import VolumeStore

FOUR, TWO = ("t1c", "t1", "t2", "flair"), ("t1c", "flair")
ODD = (13, 9, 22)


def smallest_patch(network):
    """What the data side gives at least."""
    return (3 * network.divisor, network.divisor, network.divisor)


def check_protocol(network):
    """Attributes, and every parameter in one place."""
    assert isinstance(network, SegmentationNetwork)
    assert len(network.encoder_stages()) == len(network.level_channels)
    groups = Full().groups(network, 1.0)
    ids = [id(parameter) for group in groups for parameter in group.parameters()]
    assert sorted(ids) == sorted(id(parameter) for parameter in network.parameters())
    state = network.state_dict()
    assert all(state[key].shape[1] == 4 for key in network.input_convolutions())


def train_two_steps(network, cohort, folder, policy=None, loggers=()):
    """A real fit on two patients, patches as the network's divisor asks for; the run that it leaves."""
    patients = sorted(case.patient_id for case in cohort.cases())[:2]
    data = SegmentationDataModule(
        cohort, VolumeStore(folder / "store"), FOUR, train_patients=patients, divisor=network.divisor
    )
    module = SegmenterModule(network.train(), torch.nn.BCEWithLogitsLoss(), policy or Full(), lr=1e-2)
    run = Run(folder / "runs", "segment", (policy or Full()).name, {}, 0)
    fit_segmenter(module, data, run, TrainerOptions(precision="32-true"), 1, list(loggers), "fit")
    return run


def check_weights(make, trained, path):
    """Saved once a tensor, loaded strictly; two channels answer to equal images as four do."""
    again, two = make(4).eval(), make(2).eval()
    load_weights(again, path, FOUR, FOUR)
    load_weights(two, path, FOUR, TWO)
    image = torch.randn(1, 4, *smallest_patch(trained))
    with torch.no_grad():
        assert torch.equal(again(image), trained.eval()(image))
    expected = trained.state_dict()
    for key in two.input_convolutions():
        assert torch.equal(two.state_dict()[key], 2 * expected[key][:, [0, 3]])
    assert segment(two, torch.randn(1, 2, *ODD)).shape == (1, 3, *ODD)


def check_whole_volumes(network):
    """Any size in, the same size out; maps halve from level to level; the same as a call on the padded volume."""
    network.eval()
    image = torch.randn(1, 4, *ODD)
    with torch.inference_mode():
        maps, logits = network.forward_whole_volume(image)
        alone, nothing = network.forward_whole_volume(image, decode=False)
        if getattr(network, "normalization_volume", None) is None:
            d, h, w = ODD
            called = network(pad_to_multiple(image, network.divisor, least=2))
            assert torch.allclose(logits, called[:, :, :d, :h, :w], atol=1e-4)
    assert logits.shape == (1, 3, *ODD) and nothing is None
    assert tuple(level.shape[1] for level in maps) == network.level_channels
    assert [tuple(x.shape[2:]) for x in maps] == [tuple(-(-n // 2**i) for n in ODD) for i in range(len(maps))]
    assert all(torch.equal(one, other) for one, other in zip(maps, alone, strict=True))


def check_pooling(network, name):
    """One finite float32 row a case, of one length for every size."""
    found = [latents(network, torch.randn(1, 4, *size), name) for size in (ODD, (8, 12, 11))]
    assert all(row.dtype == torch.float32 and row.ndim == 2 and torch.isfinite(row).all() for row in found)
    assert found[0].shape == found[1].shape


def check_training_outputs(network):
    """Finite losses, gradients for every parameter, and the same ones from checkpointed activations."""
    network.train()
    patch = smallest_patch(network)
    image, regions = torch.randn(1, 4, *patch), (torch.rand(1, 3, *patch) > 0.5).float()
    found = []
    for checkpointed in (False, True):
        one = copy.deepcopy(network)
        if checkpointed:
            checkpoint_activations(one)
        torch.manual_seed(1)
        loss = supervise(torch.nn.BCEWithLogitsLoss(), one(image), regions)
        loss.backward()
        assert math.isfinite(loss.item())
        found.append({name: parameter.grad for name, parameter in one.named_parameters()})
    assert all(gradient is not None for gradient in found[0].values())
    assert all(torch.allclose(found[0][name], found[1][name], rtol=1e-4, atol=1e-6) for name in found[0])


def check_policy(make, policy, cohort, folder):
    """After a real fit, what the policy freezes has the bits it had, and every other group has moved."""
    network = make(4)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    groups = policy.groups(network, 1e-2)
    train_two_steps(network, cohort, folder, policy)
    after = network.state_dict()
    for group in groups:
        keys = [names[id(parameter)] for parameter in group.parameters()]
        moved = [not torch.equal(before[key], after[key]) for key in keys]
        if not group.trains(0.5):  # the second of two steps begins there
            assert not any(moved), (policy.name, group.name)
        elif keys:
            assert any(moved), (policy.name, group.name)


def check_network(make, cohort, folder):
    """All of the above, but for policies and poolings one by one."""
    torch.manual_seed(0)
    network = make(4)
    check_protocol(network)
    run = train_two_steps(network, cohort, folder)
    check_weights(make, network, run.path(WEIGHTS))
    check_whole_volumes(network)
    for name in list_poolings():
        check_pooling(network, name)
    check_training_outputs(make(4))
