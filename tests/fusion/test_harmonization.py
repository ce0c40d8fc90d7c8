"""ComBat against neuroCombat (Fortin 2018), and its rules about sites."""

import warnings

import numpy as np
import pandas as pd
import pytest

from glioma_os.errors import DataError
from glioma_os.fusion.harmonization import Combat
from glioma_os.fusion.preprocessing import FoldPreprocessor

RNG = np.random.default_rng(0)
SITES = list("aabbbc") * 10
AGE = RNG.normal(60, 10, (60, 1))
FEATURES = RNG.normal(size=(60, 15)) * (1 + 0.5 * np.array([s == "b" for s in SITES]))[:, None] + 0.05 * AGE
FEATURES += np.outer([s == "c" for s in SITES], RNG.normal(1, 0.3, 15))


@pytest.mark.parametrize("reference", [None, "a"])
def test_values_equal_neurocombat(reference, monkeypatch, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from neuroCombat import neuroCombat

        monkeypatch.setattr(np, "int", int, raising=False)  # removed from numpy, and still written there
        known = pd.DataFrame({"site": SITES, "age": AGE[:, 0]})
        theirs = neuroCombat(FEATURES.T, known, "site", continuous_cols=["age"], ref_batch=reference)["data"].T
    ours = Combat(reference).fit(FEATURES, SITES, AGE).transform(FEATURES, SITES, AGE)
    assert np.allclose(ours, theirs, atol=1e-4)  # it stops its iteration at 1e-4
    assert not np.allclose(FEATURES, theirs, atol=0.1)


def test_the_sites_shift_and_scale_go_and_age_stays():
    out = Combat().fit(FEATURES, SITES, AGE).transform(FEATURES, SITES, AGE)
    place = np.array(SITES)
    before, after = (np.std([values[place == s].mean() for s in "abc"]) for values in (FEATURES, out))
    assert after < 0.3 * before
    assert np.corrcoef(out.mean(axis=1), AGE[:, 0])[0, 1] > 0.5


def test_an_unseen_site_is_refused_unless_there_is_a_reference():
    with pytest.raises(DataError, match="'z'"):
        Combat().fit(FEATURES, SITES, AGE).transform(FEATURES[:1], ["z"], AGE[:1])
    kept = Combat("a").fit(FEATURES, SITES, AGE).transform(FEATURES[:1], ["z"], AGE[:1])
    assert np.allclose(kept, FEATURES[:1])
    with pytest.raises(DataError, match="reference"):
        Combat("z").fit(FEATURES, SITES, AGE)
    with pytest.raises(DataError, match="one training row"):
        Combat().fit(FEATURES, ["lonely", *SITES[1:]], AGE)


def test_one_feature_and_a_constant_feature_pass():
    flat = np.column_stack([FEATURES[:, 0], np.full(60, 3.0)])
    for values in (FEATURES[:, :1], flat):
        assert np.isfinite(Combat().fit(values, SITES, AGE).transform(values, SITES, AGE)).all()


def test_a_fold_learns_it_from_training_rows_alone():
    train, test = np.arange(40), np.arange(40, 60)
    prepared = FoldPreprocessor(3, combat=Combat()).fit(AGE[train], FEATURES[train], SITES[:40])
    one = prepared.transform(AGE[test], FEATURES[test], SITES[40:])
    disturbed = FEATURES[test].copy()
    disturbed[0] += 100
    two = prepared.transform(AGE[test], disturbed, SITES[40:])
    assert np.array_equal(one[1:], two[1:]) and not np.array_equal(one[0], two[0])
