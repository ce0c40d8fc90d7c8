import numpy as np
import pytest
from monai.transforms import ConvertToMultiChannelBasedOnBratsClasses

from glioma_os.errors import ConfigError, DataError
from glioma_os.records import Modality
from glioma_os.volumes.conventions import ALIASES, CODINGS, coding, modality_of
from glioma_os.volumes.dice import dice


@pytest.mark.parametrize("name", CODINGS)
def test_label_maps_come_back(name):
    scheme = coding(name)
    values = [0, scheme.necrosis, scheme.oedema, scheme.enhancing]
    label = np.random.default_rng(0).choice(values, (6, 6, 6))
    assert np.array_equal(scheme.label_map(scheme.regions(label, "x")), label)


@pytest.mark.parametrize(("name", "et"), [("brats2018", 4), ("brats2020", 4), ("brats2023", 3)])
def test_regions_are_those_of_monai(name, et):
    label = np.random.default_rng(1).choice([0, 1, 2, et], (1, 5, 5, 5))
    theirs = ConvertToMultiChannelBasedOnBratsClasses(et_label=et)(label[0])
    assert np.array_equal(coding(name).regions(label[0], "x"), np.asarray(theirs, bool))


@pytest.mark.parametrize("name", ["brats2024", "brats2025"])
def test_a_cavity_is_no_tumour(name):
    regions = coding(name).regions(np.full((2, 2, 2), 4), "x")
    assert not regions.any()


def test_msd_swaps_oedema_and_necrosis():
    label = np.array([[[1, 2, 3]]])
    tc, wt, et = coding("msd").regions(label, "x")
    assert tc.tolist() == [[[False, True, True]]] and wt.all() and et.tolist() == [[[False, False, True]]]


def test_a_value_outside_the_coding_is_counted():
    label = np.zeros((3, 3, 3), np.uint8)
    label[0, 0, :2] = 3
    with pytest.raises(DataError, match=r"case_seg.*3 \(2 voxels\).*\[0, 1, 2, 4\]"):
        coding("brats2020").regions(label, "case_seg")
    with pytest.raises(DataError, match="1.5"):
        coding("brats2020").regions(np.full((1, 1, 1), 1.5), "x")


def test_unknown_coding_suggests_the_nearest():
    with pytest.raises(ConfigError, match="did you mean"):
        coding("brats20")


def test_every_alias_is_unique_and_known():
    names = [name for group in ALIASES.values() for name in group]
    assert len(names) == len(set(names))
    assert modality_of("T1GD") is Modality.T1C and modality_of("t2f") is Modality.FLAIR and modality_of("adc") is None


def test_dice_declares_what_empty_means():
    empty, full = np.zeros((1, 2, 2, 2), bool), np.ones((1, 2, 2, 2), bool)
    half = full.copy()
    half[0, 0] = False
    assert dice(empty, empty)[0] == 1 and dice(empty, full)[0] == 0 == dice(full, empty)[0]
    assert dice(half, full)[0] == pytest.approx(2 * 4 / 12)
