"""Outer folds: by patient, stratified, the same in every process, made once and shared by segmenter and heads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glioma_os.errors import ConfigError
from glioma_os.records import Array
from glioma_os.volumes.atomic import sha256_json


@dataclass(frozen=True)
class Folds:
    """`assignments[repeat]`: patient → fold."""

    assignments: tuple[dict[str, int], ...]
    n_folds: int

    @property
    def repeats(self) -> int:
        """Repetitions of the whole split."""
        return len(self.assignments)

    def train(self, repeat: int, fold: int) -> list[str]:
        """Training patients, sorted."""
        return sorted(patient for patient, own in self.assignments[repeat].items() if own != fold)

    def test(self, repeat: int, fold: int) -> list[str]:
        """Patients to predict, sorted."""
        return sorted(patient for patient, own in self.assignments[repeat].items() if own == fold)

    def to_json(self) -> dict[str, object]:
        """A plain form, as runs keep it in folds.json."""
        return {"n_folds": self.n_folds, "assignments": [dict(sorted(a.items())) for a in self.assignments],
                "digest": self.digest}  # fmt: skip

    @property
    def digest(self) -> str:
        """Hex sha256 of the assignments."""
        plain = [self.n_folds, *[sorted(a.items()) for a in self.assignments]]
        return sha256_json(plain)


def share_of_patients(patients: Sequence[str], fraction: float, seed: int) -> tuple[str, ...]:
    """That fraction (0 to 1) of the patients, at least one, sorted; a smaller share is part of a larger one.

    Each patient's rank follows from (seed, id) alone: whom a share holds does not depend on the fold asked about.
    """
    if not 0 < fraction <= 1:
        raise ConfigError(
            "finetuning.fraction", f"{fraction} found → a fraction above 0 and at most 1 expected", "Correct the value"
        )
    ranked = sorted(patients, key=lambda patient: sha256_json([seed, patient]))
    return tuple(sorted(ranked[: max(1, round(fraction * len(ranked)))]))


def stratified_folds(strata: Array, n_folds: int, rng: np.random.Generator) -> Array:
    """Fold number (n,) of each of n patients: in random order, assigned to the folds in turn, stratum by stratum."""
    shuffled = rng.permutation(len(strata))
    fold = np.empty(len(strata), int)
    fold[shuffled[np.argsort(strata[shuffled], kind="stable")]] = np.arange(len(strata)) % n_folds
    return fold


def make_folds(patients: Sequence[str], strata: Sequence[int], folds: int, repeats: int, seed: int) -> Folds:
    """Deals each stratum out evenly. A patient with several rows has the stratum of the first, and one fold.

    A repeat depends on (seed, its number) alone, so that more repeats never change earlier ones.
    """
    if folds < 2 or repeats < 1:
        raise ConfigError(
            "validation.folds", f"{folds} folds × {repeats} found → at least 2 × 1 expected", "Raise them"
        )
    of_patient: dict[str, int] = {}
    for patient, stratum in zip(patients, strata, strict=True):
        of_patient.setdefault(patient, int(stratum))
    names = sorted(of_patient)
    if len(names) < 2 * folds:
        raise ConfigError(
            "validation.folds",
            f"{folds} folds for {len(names)} patients found → at least 2 patients per fold expected",
            "Use fewer folds",
        )
    order = np.array([of_patient[name] for name in names])
    out = []
    for repeat in range(repeats):
        of_name = stratified_folds(order, folds, np.random.default_rng([seed, repeat]))
        out.append({name: int(fold) for name, fold in zip(names, of_name, strict=True)})
    return Folds(tuple(out), folds)
