from dataclasses import replace

import numpy as np
import pytest
import torch

from glioma_os.data.augmentation import Augmentation
from glioma_os.data.besta import BestaDataModule
from glioma_os.data.brats import BratsDataModule
from glioma_os.data.patches import Buffers, EpochSampler, PatchDataset, PatchLoader
from glioma_os.errors import ConfigError, DataError
from glioma_os.records import SegmentationBatch
from glioma_os.volumes.store import VolumeStore

FOUR = ("t1c", "t1", "t2", "flair")


@pytest.fixture
def store(tmp_path):
    return VolumeStore(tmp_path / "store")


@pytest.fixture
def brats(cohorts, store):
    patients = sorted(case.patient_id for case in cohorts["brats2020"].cases())
    return BratsDataModule(cohorts["brats2020"], store, train_patients=patients[:8], test_patients=patients[8:])


def test_batches_are_what_the_module_expects(brats):
    batch = next(iter(brats.train_dataloader()))
    assert isinstance(batch, SegmentationBatch) and batch.image.dtype == torch.float32
    assert batch.image.shape[:2] == (1, 4) and batch.regions.shape[:2] == (1, 3)
    assert all(size % 8 == 0 for size in batch.image.shape[2:])
    assert len(brats.train_dataloader()) == 8
    tc, wt, et = batch.regions[0].bool()
    assert (et <= tc).all() and (tc <= wt).all() and wt.any()


def test_train_and_test_patients_never_meet(cohorts, store):
    patients = [case.patient_id for case in cohorts["brats2020"].cases()]
    with pytest.raises(DataError, match="both training and test set"):
        BratsDataModule(cohorts["brats2020"], store, train_patients=patients, test_patients=patients[:1])


def test_bad_options_are_config_errors(cohorts, store):
    for option in ({"scale": 1.0}, {"scale": -0.1}, {"flip": 1.5}):
        with pytest.raises(ConfigError, match=f"augmentation.{next(iter(option))}"):
            Augmentation(**option)
    for options in ({"batch_size": 0}, {"patch": [30, 32, 32]}, {"patch": [32, 32]}, {"patch": [16, 32, 32]}):
        with pytest.raises(ConfigError, match="schedule"):
            BratsDataModule(cohorts["brats2020"], store, **options)


def some_masks(cohort):
    """The cohort without the masks of its first three cases."""

    class Some:
        name, label_coding = cohort.name, cohort.label_coding

        def cases(self):
            own = cohort.cases()
            return [replace(case, label=None) for case in own[:3]] + own[3:]

    return Some()


def test_a_hospital_trains_on_the_masks_it_has_and_brats_wants_all_of_them(cohorts, store):
    patients = [case.patient_id for case in cohorts["brats2020"].cases()]
    some = some_masks(cohorts["brats2020"])
    assert len(BestaDataModule(some, store, train_patients=patients).train_dataloader()) == len(patients) - 3
    batch = next(iter(BestaDataModule(some, store, train_patients=patients).train_dataloader()))
    assert batch.image.shape[1] == 2  # T1c and FLAIR, where four are not asked for
    with pytest.raises(DataError, match=f"no mask for 3 of {len(patients)} training patients.*data=besta"):
        BratsDataModule(some, store, train_patients=patients).train_dataloader()
    with pytest.raises(DataError, match="no mask for any"):
        BestaDataModule(some, store, train_patients=patients[:3]).train_dataloader()


def test_brats_masks_need_a_declared_coding(cohorts, store):
    undeclared = some_masks(cohorts["besta"])
    undeclared.label_coding = None
    with pytest.raises(ConfigError, match="declares no label_coding"):
        BratsDataModule(undeclared, store)


def dataset(brats, epoch=0, seed=1, **augmentation):
    volumes = brats.prepared.labelled(brats.train_patients)
    return PatchDataset(volumes, FOUR, None, Augmentation(**augmentation), seed, epoch, brats.divisor)


@pytest.mark.parametrize("options", [{}, {"physics": 1.0}, {"channel_dropout": 0.5}], ids=str)
def test_a_sample_follows_from_seed_epoch_and_place_alone(brats, options):
    torch.manual_seed(1)
    first = dataset(brats, **options)[3]
    torch.manual_seed(2)
    np.random.seed(2)
    again = dataset(brats, **options)
    again[0], again[1]
    assert torch.equal(first.image, again[3].image) and torch.equal(first.regions, again[3].regions)
    assert not torch.equal(first.image, dataset(brats, epoch=1, **options)[3].image)
    assert torch.isfinite(first.image).all()


def test_samples_do_not_depend_on_worker_processes(brats):
    brats.workers = 0
    alone = [batch.image for batch in brats.train_dataloader()]
    brats.workers = 2
    together = [batch.image for batch in brats.train_dataloader()]
    assert all(torch.equal(a, b) for a, b in zip(alone, together, strict=True))


def test_without_augmentation_a_patch_is_the_volume(brats):
    plain = dataset(brats, flip=0.0, scale=0.0, shift=0.0)
    sample, volume = plain[0], plain.volumes[0]
    whole = torch.from_numpy(volume.window((0, 0, 0), volume.shape, FOUR))
    assert float(sample.image.square().sum()) == pytest.approx(float(whole.square().sum()), rel=1e-5)
    assert int(sample.regions.sum()) == int(volume.regions((0, 0, 0), volume.shape).sum())


def test_channel_dropout_never_drops_all(brats):
    samples = dataset(brats, flip=0.0, scale=0.0, shift=0.0, channel_dropout=1.0)
    assert {int(samples[place].image.abs().amax((1, 2, 3)).bool().sum()) for place in range(8)} == {1}


def test_flips_move_image_and_mask_together(brats):
    plain, mirrored = dataset(brats, flip=0.0, scale=0.0, shift=0.0), dataset(brats, flip=1.0, scale=0.0, shift=0.0)
    for place in range(4):
        upright, turned = plain[place], mirrored[place]
        assert torch.equal(upright.image.flip(1, 2, 3), turned.image)
        assert torch.equal(upright.regions.flip(1, 2, 3), turned.regions) and upright.regions.any()


def test_scale_and_shift_are_one_line_for_all_voxels(brats):
    plain, changed = dataset(brats, flip=0.0, scale=0.0, shift=0.0)[2], dataset(brats, flip=0.0)[2]
    gain, offset = np.polyfit(plain.image.numpy().ravel(), changed.image.numpy().ravel(), 1)
    assert 0.9 <= gain <= 1.1 and -0.1 <= offset <= 0.1 and (gain, offset) != (1, 0)
    assert torch.allclose(plain.image * gain + offset, changed.image, atol=1e-4)


def test_whole_boxes_are_as_inference_sees_them_and_batches_share_the_largest(brats):
    brats.divisor = 4
    own = [sample.image.shape for sample in dataset(brats)]
    assert len(set(own)) > 1
    brats.batch_size = 2
    shapes = {batch.image.shape[2:] for batch in brats.train_dataloader()}
    assert shapes == {torch.Size(np.max([shape[1:] for shape in own], axis=0).tolist())}


def test_the_thread_reads_what_the_dataset_holds_and_hands_on_its_fault(brats):
    samples = dataset(brats)
    samples.patch = (16, 16, 16)
    sampler = EpochSampler(len(samples), 1, 0)
    batches = list(PatchLoader(samples, sampler, 3, drop_last=False))
    assert [name for batch in batches for name in batch.case_id] == [samples[place].case_id for place in sampler]
    assert [len(batch.image) for batch in batches] == [3, 3, 2] == [len(batch.regions) for batch in batches]
    expected = [samples[place] for place in sampler]
    assert torch.equal(torch.cat([batch.image for batch in batches]), torch.stack([e.image for e in expected]))
    assert torch.equal(torch.cat([batch.regions for batch in batches]), torch.stack([e.regions for e in expected]))
    samples.channels = ("t9",)
    with pytest.raises(ValueError, match="not in tuple"):
        next(iter(PatchLoader(samples, sampler, 1, drop_last=False)))


def test_memory_is_used_again_once_nothing_of_a_batch_is_held():
    buffers = Buffers()
    image, regions = buffers.empty(2, 4, (3, 5, 8))
    assert image.shape == (2, 4, 3, 5, 8) and regions.shape == (2, 3, 3, 5, 8)
    place = image.ctypes.data
    parts = [torch.from_numpy(image)[1, 2].numpy()[:1], regions[0]]  # of a batch that is itself forgotten
    del image, regions
    while parts:
        assert buffers.empty(2, 4, (3, 5, 8))[0].ctypes.data != place
        parts.pop()
    held = [buffers.empty(2, 4, (3, 5, 8))[0] for _ in range(2)]  # there are two blocks by now
    assert place in [image.ctypes.data for image in held]
    assert buffers.empty(1, 2, (4, 4, 4))[0].shape == (1, 2, 4, 4, 4)


def test_epoch_orders_differ_and_ranks_are_disjoint():
    orders = [list(EpochSampler(10, 3, epoch)) for epoch in range(3)]
    assert all(sorted(order) == list(range(10)) for order in orders) and orders[0] != orders[1] != orders[2]
    ranks = [list(EpochSampler(11, 3, 0, rank, 2)) for rank in (0, 1)]
    assert len(ranks[0]) == len(ranks[1]) == 5 and not set(ranks[0]) & set(ranks[1])
