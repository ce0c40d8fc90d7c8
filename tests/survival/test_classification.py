import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn import metrics as sk

from glioma_os.survival import classification as ours

ONE = np.ones((1, 60))


def sample(seed, n_classes, n=60):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, n_classes, n)
    parts = rng.integers(1, 6, (n, n_classes))
    return truth, parts / parts.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("n_classes", [2, 3, 4])
def test_equals_scikit_learn(seed, n_classes):
    truth, probabilities = sample(seed, n_classes)
    predicted = probabilities.argmax(axis=1)
    matrix = ours.confusion(truth, predicted, n_classes, ONE)
    assert np.array_equal(matrix[0], sk.confusion_matrix(truth, predicted, labels=range(n_classes)))
    assert np.isclose(ours.accuracy(matrix)[0], sk.accuracy_score(truth, predicted))
    assert np.isclose(ours.balanced_accuracy(matrix)[0], sk.balanced_accuracy_score(truth, predicted))
    assert np.isclose(ours.f1_macro(matrix)[0], sk.f1_score(truth, predicted, average="macro", zero_division=0))
    assert np.isclose(ours.f1_weighted(matrix)[0], sk.f1_score(truth, predicted, average="weighted", zero_division=0))
    binary = truth == 0
    assert np.isclose(ours.auc(binary, probabilities[:, 0], ONE)[0], sk.roc_auc_score(binary, probabilities[:, 0]))
    if n_classes > 2:
        expected = sk.roc_auc_score(truth, probabilities, multi_class="ovr", average="macro")
        assert np.isclose(ours.macro_auc(truth, probabilities, ONE)[0], expected)


@pytest.mark.parametrize("seed", range(5))
def test_spearman_equals_scipy_with_ties(seed):
    rng = np.random.default_rng(seed)
    first, second = rng.integers(0, 8, 60), rng.integers(0, 8, 60)
    assert np.isclose(ours.spearman(first, second, ONE)[0], spearmanr(first, second).statistic)


def test_declared_edges():
    assert ours.spearman(np.zeros(60), np.arange(60), ONE)[0] == 0
    assert np.isnan(ours.auc(np.ones(60, bool), np.arange(60), ONE)[0])
    assert ours.auc(np.arange(60) > 30, np.zeros(60), ONE)[0] == 0.5
    lacking = np.array([[[3.0, 1], [0, 0]]])
    assert np.isnan(ours.balanced_accuracy(lacking)[0]) and np.isnan(ours.f1_macro(lacking)[0])
    assert ours.accuracy(lacking)[0] == 0.75
