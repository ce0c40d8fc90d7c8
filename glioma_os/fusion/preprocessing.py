"""Preprocessing of a head's inputs, fitted to the training rows of one fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from scipy.special import ndtri
from sklearn.decomposition import PCA

from glioma_os.errors import ConfigError, DataError
from glioma_os.fusion.harmonization import Combat, check_sites
from glioma_os.fusion.rows import CLINICAL_VARIABLES, Rows
from glioma_os.records import Array


class Standard(NamedTuple):
    """Mean and sd of each column; a column without spread has sd 1, so that it becomes 0."""

    mean: Array
    sd: Array

    @classmethod
    def of(cls, values: Array) -> Standard:
        """Fit to (n, columns)."""
        mean, sd = values.mean(axis=0), values.std(axis=0)
        return cls(mean, np.where(sd > 1e-12 * np.maximum(np.abs(mean), 1), sd, 1.0))

    def apply(self, values: Array) -> Array:
        """z-scores of (n, columns)."""
        return (values - self.mean) / self.sd


class RankGaussian(NamedTuple):
    """Where a value stands among the training rows' values, as a standard normal quantile; `known` (n, columns) sorted.

    For columns with long tails, as radiomics have: one tumour ten times as large does not bend a component.
    """

    known: Array

    @classmethod
    def of(cls, values: Array) -> RankGaussian:
        """Fit to (n, columns)."""
        return cls(np.sort(values, axis=0))

    def apply(self, values: Array) -> Array:
        """Scores of (n, columns), ties at their middle; a column without spread becomes 0."""
        n = len(self.known)
        below = [
            np.searchsorted(own, new, side="left") + np.searchsorted(own, new, side="right")
            for own, new in zip(self.known.T, values.T, strict=True)
        ]
        standing = (np.array(below).reshape(values.shape[::-1]).T / 2 + 0.5) / (n + 1)
        spread = self.known[0] < self.known[-1] if n else np.zeros(values.shape[1], bool)
        return np.where(spread, ndtri(np.clip(standing, 0.5 / (n + 1), 1 - 0.5 / (n + 1))), 0.0)


SCALINGS: dict[str, type[Standard] | type[RankGaussian]] = {"standard": Standard, "normal_scores": RankGaussian}


def _medians(values: Array) -> Array:
    """Median of what is recorded in each column; 0 for a column never recorded."""
    missing = np.isnan(values)
    medians = np.zeros(values.shape[1])
    whole, some = ~missing.any(axis=0), ~missing.all(axis=0)
    if len(values):
        medians[whole] = np.median(values[:, whole], axis=0)
        medians[some & ~whole] = np.nanmedian(values[:, some & ~whole], axis=0)
    return medians


@dataclass(frozen=True)
class Preparation:
    """How inputs are prepared, the same for every head. `n_components`: the choices that inner validation has.

    `combat` removes site effects, towards `combat_reference` where that is given. `evaluate_only_with_features`: rows
    without any feature are trained on and not evaluated. `whitening`: 1 gives every component the same spread, 0
    leaves the features' own, so that a penalty spares the strong ones.
    """

    n_components: tuple[int | None, ...] = (5, 10)
    age_in_pca: bool = False
    scaling: str = "standard"
    combat: bool = False
    combat_reference: str | None = None
    evaluate_only_with_features: bool = False
    whitening: float = 1.0

    def __post_init__(self) -> None:
        if self.scaling not in SCALINGS:
            raise ConfigError(
                "validation.scaling", f"{self.scaling!r} found → {sorted(SCALINGS)} expected", "Correct the value"
            )
        if not 0 <= self.whitening <= 1:
            raise ConfigError("validation.whitening", f"{self.whitening} found → 0 to 1 expected", "Correct the value")
        for number in self.n_components:
            if number is not None and number < 1:
                raise ConfigError(
                    "validation.components", f"{number} found → 1 or more, or null, expected", "Raise the value"
                )


def check_combat(rows: Rows, variables: Sequence[str]) -> None:
    """A DataError where ComBat cannot tell sites of these rows from their clinical variables, or a site is blank."""
    values = rows.columns(variables)
    missing = np.isnan(values)
    partly = np.flatnonzero(missing.any(axis=0) & ~missing.all(axis=0))
    names = [column for name in variables for column in CLINICAL_VARIABLES[name]]
    names += [f"whether {names[place]} is recorded" for place in partly]
    check_sites(rows.sites, np.hstack([np.where(missing, _medians(values), values), missing[:, partly]]), names)


class FoldPreprocessor:
    """Clinical: median imputation, missingness indicator, z-score. Features: median, scaling, whitened PCA.

    `age_in_pca` reduces clinical and features together (the paper's wording); otherwise the clinical columns stand
    beside the components. `n_components=None` keeps the features unreduced. Blocks may have no column at all.
    `combat` harmonises the features' sites first, keeping what the clinical columns explain. A row without any
    feature teaches nothing about features: its components are 0, and where training has such rows a column says so.
    """

    def __init__(
        self,
        n_components: int | None = 10,
        age_in_pca: bool = False,
        scaling: str = "standard",
        combat: Combat | None = None,
        whitening: float = 1.0,
    ) -> None:
        self.n_components, self.age_in_pca, self.combat = n_components, age_in_pca, combat
        self.whitening = whitening
        self.scaling = scaling

    def fit(self, clinical: Array, features: Array, sites: Sequence[str] = ()) -> Self:
        """Fit to training rows: `clinical` (n, c) with NaN = not recorded, `features` (n, f), a site per row."""
        self._medians = _medians(clinical)
        missing = np.isnan(clinical)
        partly = np.flatnonzero(missing.any(axis=0) & ~missing.all(axis=0))
        _, first = np.unique(missing[:, partly], axis=1, return_index=True)  # columns of one variable lack together
        self._indicated = partly[np.sort(first)]
        self._clinical = Standard.of(self._impute(clinical))
        known = self._known(features)
        self._some_lack_features = bool(features.shape[1] and not known.all() and known.any())
        own, features = clinical[known], features[known]
        sites = [site for site, used in zip(sites, known, strict=True) if used] if sites else sites
        self._feature_medians = _medians(features)
        if self.combat is not None and features.shape[1]:
            self.combat.fit(self._whole(features), sites, self._impute(own))
        harmonised = self._harmonise(own, features, sites)
        self._features = SCALINGS[self.scaling].of(harmonised)
        wide = self._wide(own, harmonised)
        reduced = features.shape[1] and self.n_components is not None
        self._projection = self._reduction(wide, self.n_components or 0) if reduced else None
        return self

    def _reduction(self, wide: Array, n_components: int) -> Array:
        """(columns, components) for scaled columns; the first component has spread 1.

        A direction without variance would only blow up rounding errors.
        """
        if not wide.any():
            return np.empty((wide.shape[1], 0))
        pca = PCA(min(n_components, wide.shape[1], len(wide) - 1), svd_solver="full").fit(wide)
        kept = pca.explained_variance_ > 1e-10 * pca.explained_variance_[0]
        spread = np.sqrt(pca.explained_variance_[kept])
        return pca.components_[kept].T / (spread**self.whitening * spread[0] ** (1 - self.whitening))

    @property
    def components(self) -> int:
        """How many components the training rows gave; 0 without a reduction."""
        return 0 if self._projection is None else self._projection.shape[1]

    def transform(self, clinical: Array, features: Array, sites: Sequence[str] = ()) -> Array:
        """Inputs (n, columns) of a head; components last, in falling order of variance."""
        known = self._known(features)
        wide = self._wide(clinical, self._harmonise(clinical, features, sites))
        inputs = wide if self._projection is None else wide @ self._projection
        inputs = np.where(known[:, None], inputs, 0.0) if features.shape[1] else inputs
        if self.age_in_pca:
            return inputs
        indicator = [(~known)[:, None].astype(float)] if self._some_lack_features else []
        return np.hstack([self._clinical.apply(self._impute(clinical)), *indicator, inputs])

    @staticmethod
    def _known(features: Array) -> Array:
        """Rows (n,) with any feature; all of them where there is no feature column."""
        return ~np.isnan(features).all(axis=1) if features.shape[1] else np.ones(len(features), bool)

    def _impute(self, clinical: Array) -> Array:
        missing = np.isnan(clinical)
        return np.hstack([np.where(missing, self._medians, clinical), missing[:, self._indicated]])

    def _harmonise(self, clinical: Array, features: Array, sites: Sequence[str]) -> Array:
        """Features without a gap, and without the sites where ComBat is asked for."""
        whole = self._whole(features)
        known = self._known(features)
        if self.combat is None or not features.shape[1] or not known.any():
            return whole
        own = [site for site, used in zip(sites, known, strict=True) if used]
        whole[known] = self.combat.transform(whole[known], own, self._impute(clinical)[known])
        return whole

    def _wide(self, clinical: Array, harmonised: Array) -> Array:
        """What PCA sees."""
        scaled = self._features.apply(harmonised)
        return np.hstack([self._clinical.apply(self._impute(clinical)), scaled]) if self.age_in_pca else scaled

    def _whole(self, features: Array) -> Array:
        """Features with the training median where a value is missing; an infinite one is a DataError."""
        if np.isinf(features).any():
            bad = int(np.isinf(features).any(axis=1).sum())
            raise DataError("features", f"{bad} of {len(features)} rows are not finite", "Extract them again")
        return np.where(np.isnan(features), self._feature_medians, features).astype(float)
