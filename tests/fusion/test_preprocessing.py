import numpy as np
import pytest
from scipy.stats import norm, rankdata

from glioma_os.errors import ConfigError, DataError
from glioma_os.fusion.preprocessing import FoldPreprocessor, Preparation, RankGaussian

RNG = np.random.default_rng(0)
CLINICAL = np.column_stack(
    [RNG.normal(60, 10, 40), np.full(40, np.nan), np.where(RNG.uniform(size=40) < 0.3, np.nan, 1)]
)
FEATURES = RNG.normal(3, [1, 5, 0.1, 2, 1, 1, 1, 1], (40, 8))
NOTHING = np.empty((40, 0))


def test_clinical_columns_stand_beside_whitened_components():
    out = FoldPreprocessor(3).fit(CLINICAL, FEATURES).transform(CLINICAL, FEATURES)
    assert out.shape == (40, 4 + 3)  # three columns, one indicator: nobody has the second, everybody lacks it alike
    assert np.allclose(out[:, 0].mean(), 0) and np.allclose(out[:, 0].std(), 1)
    assert np.array_equal(out[:, 1], np.zeros(40))
    assert np.allclose(np.cov(out[:, 4:].T), np.eye(3))
    assert np.allclose(np.unique(np.sign(out[:, 3])), [-1, 1])


def test_median_comes_from_what_is_recorded():
    clinical = np.array([[1.0], [2.0], [np.nan], [9.0]])
    out = FoldPreprocessor().fit(clinical, np.empty((4, 0))).transform(clinical, np.empty((4, 0)))
    assert out[2, 0] == out[1, 0]


@pytest.mark.parametrize("whitening", [0.0, 0.5])
def test_less_whitening_leaves_the_components_their_spread(whitening):
    full, partly = (
        FoldPreprocessor(4, whitening=w).fit(NOTHING, FEATURES).transform(NOTHING, FEATURES) for w in (0.0, whitening)
    )
    spreads = full.std(axis=0) / full[:, 0].std()
    assert np.allclose(partly.std(axis=0) / partly[:, 0].std(), spreads ** (1 - whitening)) and spreads[-1] < 0.95
    with pytest.raises(ConfigError):
        Preparation(whitening=1.5)


def test_age_in_pca_reduces_both_together():
    out = FoldPreprocessor(4, age_in_pca=True).fit(CLINICAL, FEATURES).transform(CLINICAL, FEATURES)
    assert out.shape == (40, 4) and np.allclose(np.cov(out.T), np.eye(4))
    alone = FoldPreprocessor(4, age_in_pca=True).fit(CLINICAL, NOTHING).transform(CLINICAL, NOTHING)
    assert alone.shape == (40, 4) and np.allclose(alone[:, 0].std(), 1)


def test_no_reduction_keeps_the_features():
    assert FoldPreprocessor(None).fit(CLINICAL, FEATURES).transform(CLINICAL, FEATURES).shape == (40, 12)
    assert FoldPreprocessor(None, True).fit(CLINICAL, FEATURES).transform(CLINICAL, FEATURES).shape == (40, 12)


def test_columns_without_spread_or_rank_are_inert():
    flat = np.hstack([np.full((40, 2), 7.0), FEATURES[:, :1], FEATURES[:, :1] * 2])
    out = FoldPreprocessor(4).fit(NOTHING, flat).transform(NOTHING, flat + 1)
    assert out.shape == (40, 1) and np.isfinite(out).all()
    assert FoldPreprocessor(4).fit(NOTHING, flat[:, :2]).transform(NOTHING, flat[:, :2]).shape == (40, 0)


def test_test_rows_leave_no_trace_bitwise():
    fitted = FoldPreprocessor(3).fit(CLINICAL[:30], FEATURES[:30])
    before = fitted.transform(CLINICAL[:30], FEATURES[:30]).tobytes()
    fitted.transform(CLINICAL[30:] * 1e6, FEATURES[30:] * 1e6)
    assert fitted.transform(CLINICAL[:30], FEATURES[:30]).tobytes() == before
    again = FoldPreprocessor(3).fit(CLINICAL[:30], FEATURES[:30]).transform(CLINICAL[:30], FEATURES[:30])
    assert again.tobytes() == before


def test_bad_inputs_are_errors():
    with pytest.raises(ConfigError):
        Preparation((5, 0))
    with pytest.raises(ConfigError, match="normal_scores"):
        Preparation(scaling="log")
    broken = FEATURES.copy()
    broken[3, 1] = np.inf
    with pytest.raises(DataError, match="1 of 40"):
        FoldPreprocessor(3).fit(CLINICAL, broken)


def test_a_missing_feature_takes_the_training_median():
    holes, filled = FEATURES.copy(), FEATURES.copy()
    holes[5, 2] = np.nan
    filled[5, 2] = np.nanmedian(holes[:, 2])
    out = [FoldPreprocessor(3).fit(CLINICAL, f).transform(CLINICAL, f) for f in (holes, filled)]
    assert np.array_equal(*out)


def test_normal_scores_are_blind_to_the_size_of_a_tail():
    values = np.column_stack([np.exp(3 * FEATURES[:, 0]), np.full(40, 2.0), FEATURES[:, 1]])
    scores = RankGaussian.of(values).apply(values)
    expected = rankdata(values[:, 0])
    assert np.allclose(scores[:, 0], norm.ppf(expected / 41)) and not scores[:, 1].any()
    tail = values.copy()
    tail[values[:, 0].argmax(), 0] *= 1e6
    assert np.array_equal(RankGaussian.of(tail).apply(tail), scores)
    far = RankGaussian.of(values).apply(np.array([[1e9, 2.0, -1e9]]))[0]
    assert np.isfinite(far).all() and far[0] >= scores[:, 0].max() and far[2] <= scores[:, 2].min()


@pytest.mark.parametrize("scaling", ["standard", "normal_scores"])
def test_rows_without_features_teach_nothing_about_them(scaling):
    lacking = np.arange(40) >= 30
    partly = np.where(lacking[:, None], np.nan, FEATURES)
    whole = FoldPreprocessor(3, scaling=scaling).fit(CLINICAL[:30], FEATURES[:30])
    some = FoldPreprocessor(3, scaling=scaling).fit(CLINICAL, partly)
    out = some.transform(CLINICAL, partly)
    assert np.allclose(out[:30, -3:], whole.transform(CLINICAL[:30], FEATURES[:30])[:, -3:])
    assert np.array_equal(out[30:, -3:], np.zeros((10, 3))) and np.array_equal(out[:, -4], lacking.astype(float))
    new = whole.transform(CLINICAL[30:], partly[30:])
    assert np.array_equal(new[:, -3:], np.zeros((10, 3)))
