"""What validation asks of a fold file, and the inner folds that it draws itself."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

import numpy as np

from glioma_os.cohorts.splits import stratified_folds
from glioma_os.config.options import LeakPolicy
from glioma_os.errors import ConfigError, DataError, IntegrityError
from glioma_os.fusion.rows import Rows
from glioma_os.records import Array, FeatureTable

FeaturesOfFold = Callable[[int, int], FeatureTable]


class Folds(Protocol):
    """Repeated folds over patients."""

    @property
    def repeats(self) -> int:
        """Repetitions of the whole split."""

    @property
    def n_folds(self) -> int:
        """Folds of one repeat."""

    def train(self, repeat: int, fold: int) -> Collection[str]:
        """Ids of the training patients."""

    def test(self, repeat: int, fold: int) -> Collection[str]:
        """Patient ids to predict."""


def split_rows(rows: Rows, folds: Folds, repeat: int, fold: int) -> tuple[Array, Array]:
    """Row indices (train, test). A patient on both sides is an IntegrityError."""
    train, test = set(folds.train(repeat, fold)), set(folds.test(repeat, fold))
    where = f"repeat {repeat} fold {fold}"
    if train & test:
        raise IntegrityError(where, f"{len(train & test)} patients in both train and test", "Split again, by patient")
    patients = rows.patient_ids
    fit = np.array([row for row, patient in enumerate(patients) if patient in train], int)
    held = np.array([row for row, patient in enumerate(patients) if patient in test], int)
    if not len(fit) or not len(held):
        raise DataError(where, f"{len(fit)} training and {len(held)} test rows", "Use fewer folds")
    return fit, held


def check_partition(test_rows: Sequence[Array], n: int, repeat: int) -> None:
    """Every row is predicted exactly once in a repeat."""
    times = np.bincount(np.concatenate(list(test_rows)), minlength=n)
    if np.any(times != 1):
        raise DataError(
            f"repeat {repeat}",
            f"{np.sum(times == 0)} cases are in no test fold, {np.sum(times > 1)} in several",
            "Make the folds from the same cohort",
        )


def seen_by_encoder(table: FeatureTable, test_patients: set[str], where: str, policy: LeakPolicy) -> set[str]:
    """Test patients that the encoder was trained on; under `strict` one of them is an IntegrityError."""
    if policy not in ("strict", "report", "paper_like"):
        raise ConfigError(
            "leak_policy", f"{policy!r} found → strict, report or paper_like expected", "Correct the value"
        )
    trained_on = table.provenance.get("encoder_patients")
    if trained_on is None and policy == "strict":
        raise IntegrityError(
            where,
            "the training patients of the features' encoder are unknown",
            "Set features.encoder_patients=none if no trained encoder made these columns, to a file of the encoder's "
            "training patients if one did, or validation.leak_policy=report",
        )
    seen = test_patients & set(trained_on or ())
    if seen and policy == "strict":
        raise IntegrityError(
            where,
            f"{len(seen)} of {len(test_patients)} test patients are among those the encoder was trained on",
            "Train the encoder on the training patients of each outer fold, or set validation.leak_policy=report",
        )
    return seen


def grouped_folds(patient_ids: Sequence[str], strata: Array, n_folds: int, seed: int) -> Array:
    """Fold number (n,) of each row: a patient's rows share a fold, strata are distributed evenly, the same for a seed.

    A patient's stratum is that of the first row.
    """
    if n_folds < 2:
        raise ConfigError("inner_folds", f"{n_folds} found → 2 or more expected", "Raise the value")
    patients, first, place = np.unique(np.asarray(patient_ids), return_index=True, return_inverse=True)
    if len(patients) < n_folds:
        raise DataError("inner folds", f"{len(patients)} patients for {n_folds} folds", "Use fewer inner folds")
    return stratified_folds(np.asarray(strata)[first], n_folds, np.random.default_rng(seed))[place]
