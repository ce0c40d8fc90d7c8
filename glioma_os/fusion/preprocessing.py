"""What happens to inputs before a head sees them. Everything is learnt from the training rows of one fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from sklearn.decomposition import PCA

from glioma_os.errors import ConfigError, DataError
from glioma_os.fusion.harmonization import Combat
from glioma_os.records import Array


class Standard(NamedTuple):
    """Mean and sd of each column; a column without spread has sd 1, so that it becomes 0."""

    mean: Array
    sd: Array

    @classmethod
    def of(cls, values: Array) -> Standard:
        """Learn from (n, columns)."""
        mean, sd = values.mean(axis=0), values.std(axis=0)
        return cls(mean, np.where(sd > 1e-12 * np.maximum(np.abs(mean), 1), sd, 1.0))

    def apply(self, values: Array) -> Array:
        """z-scores of (n, columns)."""
        return (values - self.mean) / self.sd


def _medians(values: Array) -> Array:
    """Median of what is recorded in each column; 0 for a column that nobody has."""
    return np.array([np.median(known) if (known := column[~np.isnan(column)]).size else 0.0 for column in values.T])


@dataclass(frozen=True)
class Preparation:
    """How inputs are prepared, the same for every head. `n_components`: the choices that inner validation has.

    `combat` takes the sites off the features, to `combat_reference` where that is given.
    """

    n_components: tuple[int | None, ...] = (5, 10)
    age_in_pca: bool = False
    combat: bool = False
    combat_reference: str | None = None


class FoldPreprocessor:
    """Clinical: median for what is missing, an indicator beside it, z-score. Features: median, z-score, whitened PCA.

    `age_in_pca` reduces clinical and features together (the paper's wording); otherwise the clinical columns stand
    beside the components. `n_components=None` keeps the features unreduced. Blocks may have no column at all.
    `combat` harmonises the features' sites first, keeping what the clinical columns explain.
    """

    def __init__(self, n_components: int | None = 10, age_in_pca: bool = False, combat: Combat | None = None) -> None:
        if n_components is not None and n_components < 1:
            raise ConfigError("n_components", f"{n_components} found → 1 or more expected", "Raise it, or null")
        self.n_components, self.age_in_pca, self.combat = n_components, age_in_pca, combat

    def fit(self, clinical: Array, features: Array, sites: Sequence[str] = ()) -> Self:
        """Learn from training rows: `clinical` (n, c) with NaN = not recorded, `features` (n, f), a site per row."""
        self._medians = _medians(clinical)
        missing = np.isnan(clinical)
        self._indicated = np.flatnonzero(missing.any(axis=0) & ~missing.all(axis=0))
        self._clinical = Standard.of(self._filled(clinical))
        self._feature_medians = _medians(features)
        if self.combat is not None and features.shape[1]:
            self.combat.fit(self._whole(features), sites, self._filled(clinical))
        harmonised = self._harmonised(clinical, features, sites)
        self._features = Standard.of(harmonised)
        wide = self._wide(clinical, harmonised)
        reduced = features.shape[1] and self.n_components is not None
        self._projection = self._whitening(wide, self.n_components or 0) if reduced else None
        return self

    @staticmethod
    def _whitening(wide: Array, n_components: int) -> Array:
        """(columns, components) for z-scores; a direction without variance would only blow up rounding errors."""
        if not wide.any():
            return np.empty((wide.shape[1], 0))
        pca = PCA(min(n_components, wide.shape[1], len(wide) - 1), svd_solver="full").fit(wide)
        kept = pca.explained_variance_ > 1e-10 * pca.explained_variance_[0]
        return pca.components_[kept].T / np.sqrt(pca.explained_variance_[kept])

    def transform(self, clinical: Array, features: Array, sites: Sequence[str] = ()) -> Array:
        """Inputs (n, columns) of a head."""
        wide = self._wide(clinical, self._harmonised(clinical, features, sites))
        inputs = wide if self._projection is None else wide @ self._projection
        return inputs if self.age_in_pca else np.hstack([self._clinical.apply(self._filled(clinical)), inputs])

    def _filled(self, clinical: Array) -> Array:
        missing = np.isnan(clinical)
        return np.hstack([np.where(missing, self._medians, clinical), missing[:, self._indicated]])

    def _harmonised(self, clinical: Array, features: Array, sites: Sequence[str]) -> Array:
        """Features without a gap, and without the sites where ComBat is asked for."""
        whole = self._whole(features)
        if self.combat is None or not features.shape[1]:
            return whole
        return self.combat.transform(whole, sites, self._filled(clinical))

    def _wide(self, clinical: Array, harmonised: Array) -> Array:
        """What PCA sees."""
        scaled = self._features.apply(harmonised)
        return np.hstack([self._clinical.apply(self._filled(clinical)), scaled]) if self.age_in_pca else scaled

    def _whole(self, features: Array) -> Array:
        """Features with the training median where a value is missing; an infinite one is a DataError."""
        if np.isinf(features).any():
            bad = int(np.isinf(features).any(axis=1).sum())
            raise DataError("features", f"{bad} of {len(features)} rows are infinite", "Extract them again")
        return np.where(np.isnan(features), self._feature_medians, features).astype(float)
