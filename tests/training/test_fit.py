import hashlib
import pickle

import numpy as np
import pytest
import torch
from lightning.pytorch.utilities import rank_zero_only
from safetensors.torch import load_file

from glioma_os.config.component import Component
from glioma_os.data.brats import BratsDataModule
from glioma_os.errors import ConfigError, EnvironmentFault, IntegrityError, TrainingError
from glioma_os.modules.segmenter import SegmenterModule
from glioma_os.modules.transfer import Frozen, Full, Gradual
from glioma_os.networks.segresnet import GliomaSegResNet
from glioma_os.training.checkpoint import AtomicCheckpointIO
from glioma_os.training.fit import fit_segmenter
from glioma_os.training.options import TrainerOptions
from glioma_os.training.run import WEIGHTS, Run
from glioma_os.training.trackers import CURVES, CurveLogger
from glioma_os.volumes.store import VolumeStore


class Bowl(torch.nn.Module):
    """A plain objective; NaN from the step on that it is told."""

    def __init__(self, nan_from=None):
        super().__init__()
        self.calls, self.nan_from = 0, nan_from

    def forward(self, logits, regions):
        self.calls += 1
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, regions)
        return loss * float("nan") if self.nan_from is not None and self.calls > self.nan_from else loss


@pytest.fixture
def data(cohorts, tmp_path):
    patients = sorted(case.patient_id for case in cohorts["brats2020"].cases())
    store = VolumeStore(tmp_path / "store")
    return BratsDataModule(cohorts["brats2020"], store, train_patients=patients[:3], seed=3)


def fit(tmp_path, data, name, epochs=3, policy=None, objective=None, stop_after=None, **options):
    torch.manual_seed(0)
    network = GliomaSegResNet(4, init_filters=8, blocks_down=(1, 1, 1), blocks_up=(1, 1), dropout=0.2)
    module = SegmenterModule(network, objective or Bowl(), policy or Full(), lr=1e-2, seed=5)
    run = Run(tmp_path / "runs", "segment", name, {}, 0)
    if stop_after is not None:
        original = module.on_train_epoch_start

        def stop():
            original()
            if module.current_epoch == stop_after:
                raise RuntimeError("killed")

        module.on_train_epoch_start = stop
    fit_segmenter(
        module, data, run, TrainerOptions(precision="32-true", **options), epochs, [CurveLogger(run.folder)], "fit"
    )
    return run


def test_a_fit_leaves_weights_and_curves_and_no_checkpoint(tmp_path, data):
    run = fit(tmp_path, data, "a")
    assert set(load_file(run.path(WEIGHTS))) == set(GliomaSegResNet(4, 8, (1, 1, 1), (1, 1)).state_dict())
    assert not run.path("checkpoints").exists()


def test_same_inputs_give_the_same_bits_and_a_killed_fit_goes_on_to_them(tmp_path, data):
    whole = fit(tmp_path, data, "whole").path(WEIGHTS).read_bytes()
    assert fit(tmp_path, data, "again").path(WEIGHTS).read_bytes() == whole
    with pytest.raises(RuntimeError, match="killed"):
        fit(tmp_path, data, "killed", stop_after=2)
    assert list((tmp_path / "runs/segment/killed").rglob("last.ckpt"))
    resumed = fit(tmp_path, data, "killed")
    assert resumed.path(WEIGHTS).read_bytes() == whole
    curves = [run.path(CURVES).read_text() for run in (resumed, fit(tmp_path, data, "whole2"))]
    assert curves[0] == curves[1] and curves[0].count("\n") == 4


def test_a_kill_right_after_a_checkpoint_loses_no_row_of_the_curves(tmp_path, data, monkeypatch):
    whole = fit(tmp_path, data, "whole").path(CURVES).read_text()
    save, calls = AtomicCheckpointIO.save_checkpoint, []

    def save_and_die(self, *arguments, **options):
        save(self, *arguments, **options)
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("killed")

    monkeypatch.setattr(AtomicCheckpointIO, "save_checkpoint", save_and_die)
    with pytest.raises(RuntimeError, match="killed"):
        fit(tmp_path, data, "killed")
    assert fit(tmp_path, data, "killed").path(CURVES).read_text() == whole


@pytest.mark.parametrize("rank", [None, 1])
def test_a_single_process_writes_its_curves_whatever_rank_lightning_read(tmp_path, data, monkeypatch, rank):
    monkeypatch.setattr(rank_zero_only, "rank", rank, raising=False)
    run = fit(tmp_path, data, "a", epochs=1)
    assert run.path(CURVES).read_text().count("\n") == 2


@pytest.mark.parametrize("damage", ["cut", "flip", "garbage", "empty", "other", "no dict", "plain"])
def test_a_checkpoint_that_is_not_the_fits_own_is_one_sentence(tmp_path, data, damage):
    with pytest.raises(RuntimeError, match="killed"):
        fit(tmp_path, data, "killed", stop_after=1)
    (last,) = (tmp_path / "runs/segment/killed").rglob("last.ckpt")
    content = bytearray(last.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 1
    if damage == "other":
        AtomicCheckpointIO("another").save_checkpoint({"a": torch.ones(3)}, last)
    elif damage == "plain":
        torch.save({"a": torch.ones(3)}, last)
    else:
        changed = {"cut": content[: len(content) // 2], "flip": content, "garbage": b"\x80garbage" * 50, "empty": b""}
        body = pickle.dumps([1, 2], protocol=2)
        last.write_bytes(changed.get(damage, body + hashlib.sha256(body).digest()))
    with pytest.raises(IntegrityError, match=f"{last}.*Delete"):
        fit(tmp_path, data, "killed")


def test_frozen_means_bitwise_unchanged(tmp_path, data):
    torch.manual_seed(0)
    start = GliomaSegResNet(4, init_filters=8, blocks_down=(1, 1, 1), blocks_up=(1, 1), dropout=0.2).state_dict()
    end = load_file(fit(tmp_path, data, "frozen", epochs=1, policy=Frozen()).path(WEIGHTS))
    moved = {name.split(".")[0] for name in start if not torch.equal(start[name], end[name])}
    assert moved and not moved & {"convInit", "down_layers"}


def test_gradual_unfreezes_within_the_shortest_training(tmp_path, data):
    torch.manual_seed(0)
    start = GliomaSegResNet(4, init_filters=8, blocks_down=(1, 1, 1), blocks_up=(1, 1), dropout=0.2).state_dict()
    end = load_file(fit(tmp_path, data, "gradual", epochs=1, policy=Gradual()).path(WEIGHTS))
    moved = {name.split(".")[0] for name in start if not torch.equal(start[name], end[name])}
    assert {"convInit", "down_layers"} <= moved


def test_a_loss_that_is_no_number_stops_the_fit(tmp_path, data):
    with pytest.raises(TrainingError, match="step 4"):
        fit(tmp_path, data, "nan", objective=Bowl(nan_from=4))


def test_a_damaged_checkpoint_says_so(tmp_path):
    path = tmp_path / "last.ckpt"
    plugin = AtomicCheckpointIO("run")
    plugin.save_checkpoint({"a": torch.ones(3)}, path)
    assert torch.equal(plugin.load_checkpoint(path)["a"], torch.ones(3))
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(IntegrityError, match="Delete"):
        plugin.load_checkpoint(path)


def test_options_are_checked():
    for key, value in (("accelerator", "tpu"), ("devices", 0), ("accumulate", 0), ("timeout_s", 0), ("devices", "2")):
        with pytest.raises(ConfigError, match=rf"^trainer\.{key}: "):
            Component("trainer", "glioma_os.training.options.TrainerOptions", {key: value}).build()
    if not torch.cuda.is_available():
        with pytest.raises(EnvironmentFault, match="trainer=cpu"):
            TrainerOptions(accelerator="gpu")
    assert TrainerOptions().resolved_precision() in ("bf16-mixed", "32-true")


def test_learning_lowers_the_objective(tmp_path, data):
    run = fit(tmp_path, data, "learn", epochs=10)
    losses = np.genfromtxt(run.path(CURVES), delimiter=",", names=True)["trainloss"]
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")  # inductor's
def test_a_compiled_network_learns_the_same_under_the_same_names(tmp_path, data):
    plain = load_file(fit(tmp_path, data, "plain", epochs=1).path(WEIGHTS))
    compiled = load_file(fit(tmp_path, data, "compiled", epochs=1, compile=True).path(WEIGHTS))
    assert set(plain) == set(compiled)
    apart = sum(float((plain[name] - compiled[name]).square().sum()) for name in plain) ** 0.5
    assert apart < 1e-2 * sum(float(plain[name].square().sum()) for name in plain) ** 0.5
