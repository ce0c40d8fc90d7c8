"""ComBat inside a fold: site effects on mean and scale are estimated in training rows and removed from all rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np

from glioma_os.errors import DataError
from glioma_os.records import Array


def check_sites(sites: Sequence[str], covariates: Array, names: Sequence[str] = ()) -> None:
    """Sites and covariates (n, c) that ComBat can tell apart, else a DataError: every row has a site, and no covariate
    (`names`, where they are known) differs between sites alone."""
    blank = sum(not site for site in sites)
    if blank:
        raise DataError("site", f"{blank} of {len(sites)} patients without a site found → a site for each",
                        "Fill the column site, or set validation.combat.enabled=false")  # fmt: skip
    if not covariates.shape[1]:
        return
    place = np.unique(np.array(sites), return_inverse=True)[1]
    means = np.stack([covariates[place == site].mean(axis=0) for site in range(place.max() + 1)])
    within, between = covariates - means[place], covariates - covariates.mean(axis=0)
    if np.linalg.matrix_rank(within) == np.linalg.matrix_rank(between):
        return
    spread, inside = between.std(axis=0), within.std(axis=0)
    confounded = [name for name, own, other in zip(names, inside, spread, strict=False) if own < 1e-9 < other]
    raise DataError(
        "validation.clinical",
        f"{', '.join(confounded) or 'a combination of variables'} found, which differs between sites and not within "
        "them → variables not confounded with the site expected",
        "Leave the variable out, or set validation.combat.enabled=false",
    )  # fmt: skip


class Combat:
    """Empirical-Bayes ComBat (Johnson 2007; Fortin 2018): what covariates explain is kept, what the site adds is not.

    A site that training did not see is a DataError, unless `reference` names a site: then training sites are brought
    to that one, and rows of the reference and of unseen sites stay as they are.
    """

    def __init__(self, reference: str | None = None) -> None:
        self.reference = reference

    def fit(self, features: Array, sites: Sequence[str], covariates: Array) -> Self:
        """Fit to `features` (n, f), a site per row and `covariates` (n, c), none of them NaN."""
        place = np.array(sites)
        check_sites(sites, covariates)
        self.sites = sorted(set(sites))
        few = [site for site in self.sites if np.sum(place == site) < 2]
        if few:
            raise DataError(f"site {few[0]!r}", "one training row → two or more expected", "Merge small sites")
        if self.reference is not None and self.reference not in self.sites:
            raise DataError("combat.reference", f"{self.reference!r} not among {self.sites}", "Name a training site")
        indicator = np.stack([place == site for site in self.sites], axis=1).astype(float)
        self.centre = covariates.mean(axis=0)
        design = np.hstack([indicator, covariates - self.centre])
        coefficients = np.linalg.lstsq(design, features, rcond=None)[0]
        residual = features - design @ coefficients
        if self.reference is None:
            self.grand = indicator.mean(axis=0) @ coefficients[: len(self.sites)]
            variance = (residual**2).mean(axis=0)
        else:
            own = self.sites.index(self.reference)
            self.grand = coefficients[own]
            variance = (residual[place == self.reference] ** 2).mean(axis=0)
        rounding = np.square(features).mean(axis=0) * 1e-24  # what is left of a constant feature, on some processors
        self.spread = np.sqrt(np.where(variance > rounding, variance, 1.0))
        self.slopes = coefficients[len(self.sites) :]
        scaled = self._scale(features, covariates)
        self.shift, self.scale = np.zeros((2, len(self.sites), features.shape[1]))
        for row, site in enumerate(self.sites):
            self.shift[row], self.scale[row] = _posterior(scaled[place == site])
        if self.reference is not None:
            self.shift[own], self.scale[own] = 0.0, 1.0
        return self

    def _expected(self, covariates: Array) -> Array:
        """What the grand mean and the covariates say of each row."""
        return self.grand + (covariates - self.centre) @ self.slopes

    def _scale(self, features: Array, covariates: Array) -> Array:
        return (features - self._expected(covariates)) / self.spread

    def transform(self, features: Array, sites: Sequence[str], covariates: Array) -> Array:
        """Harmonised (n, f)."""
        unseen = sorted(set(sites) - set(self.sites))
        if unseen and self.reference is None:
            raise DataError(
                f"site {unseen[0]!r}",
                f"a site without training patients found → one of {self.sites} expected",
                "Set validation.combat.reference, or leave the site out",
            )
        row = np.array([self.sites.index(site) if site in self.sites else -1 for site in sites])
        shift = np.vstack([self.shift, np.zeros(features.shape[1])])[row]
        scale = np.vstack([self.scale, np.ones(features.shape[1])])[row]
        return (self._scale(features, covariates) - shift) / np.sqrt(scale) * self.spread + self._expected(covariates)


def _posterior(scaled: Array) -> tuple[Array, Array]:
    """Posterior shift and variance (f,) of one site from its standardised rows (n, f), parametric priors."""
    n = len(scaled)
    own_shift, own_scale = scaled.mean(axis=0), scaled.var(axis=0, ddof=1)
    if scaled.shape[1] < 2:
        return own_shift, np.where(own_scale > 0, own_scale, 1.0)
    prior_mean, prior_var = own_shift.mean(), own_shift.var(ddof=1)
    mean, var = own_scale.mean(), own_scale.var(ddof=1)
    if var == 0 or prior_var == 0:
        return own_shift, np.where(own_scale > 0, own_scale, 1.0)
    a, b = (2 * var + mean**2) / var, (mean * var + mean**3) / var  # inverse gamma by its moments
    shift, scale = own_shift, own_scale
    for _ in range(1000):
        new_shift = (n * prior_var * own_shift + scale * prior_mean) / (n * prior_var + scale)
        squares = ((scaled - new_shift) ** 2).sum(axis=0)
        new_scale = (0.5 * squares + b) / (n / 2 + a - 1)
        moved = max(
            np.abs(new_shift - shift).max() / max(np.abs(shift).max(), 1e-12), np.abs(scale / new_scale - 1).max()
        )
        shift, scale = new_shift, new_scale
        if moved < 1e-8:
            break
    return shift, scale
