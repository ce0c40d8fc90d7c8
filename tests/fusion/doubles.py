"""A synthetic cohort, its folds and its features."""

from dataclasses import dataclass

import numpy as np

from glioma_os.fusion.preprocessing import Preparation
from glioma_os.fusion.rows import Rows
from glioma_os.fusion.validation import apply_to, develop_on
from glioma_os.records import FeatureTable


@dataclass(frozen=True)
class RandomFolds:
    """Repeated stratified folds over patients: longest and shortest survivors are dealt out evenly."""

    patients: tuple[str, ...]
    time: np.ndarray
    n_folds: int = 5
    repeats: int = 1

    def test(self, repeat, fold):
        rng = np.random.default_rng(repeat)
        ranked = np.argsort(self.time, kind="stable")
        number = np.empty(len(ranked), int)
        for start in range(0, len(ranked), self.n_folds):
            group = ranked[start : start + self.n_folds]
            number[group] = rng.permutation(self.n_folds)[: len(group)]
        return [patient for patient, k in zip(self.patients, number, strict=True) if k == fold]

    def train(self, repeat, fold):
        held = set(self.test(repeat, fold))
        return [patient for patient in self.patients if patient not in held]


def cohort(n=90, seed=0, censored=0.15, signal=1.0):
    """Age and the first feature drive survival; `sex` is missing for some."""
    rng = np.random.default_rng(seed)
    age, latent = rng.normal(60, 10, n), rng.normal(size=n)
    time = np.ceil(np.exp(5.8 - signal * (0.04 * (age - 60) + 0.6 * latent) + rng.normal(0, 0.5, n)))
    event = rng.uniform(size=n) > censored
    ids = tuple(f"case{i:03d}" for i in range(n))
    clinical = np.full((n, 7), np.nan)
    clinical[:, 0] = age
    clinical[:, 1] = np.where(rng.uniform(size=n) < 0.2, np.nan, rng.integers(0, 2, n))
    values = rng.normal(size=(n, 12)).astype(np.float32)
    values[:, 0] = latent
    return Rows(ids, ids, time, event, clinical), values


def folds_of(rows, n_folds=5, repeats=1):
    return RandomFolds(rows.patient_ids, rows.time, n_folds, repeats)


def table(rows, values, **provenance):
    names = tuple(f"latent{i}" for i in range(values.shape[1]))
    given = {"encoder_patients": [], **provenance}
    return FeatureTable(rows.case_ids, names, ("latent",) * len(names), values, given)


def external_validation(
    training, others, variables, features, heads, endpoint, inner_folds=3, how=None, horizons_days=()
):
    """What stage=validate does: fitted on `training`, `others` predicted once."""
    how = how or Preparation()
    training.and_others(others)
    pipeline = develop_on(training, variables, features, heads, endpoint, inner_folds, how)
    return apply_to(pipeline, others, features, heads, variables, how, horizons_days)
