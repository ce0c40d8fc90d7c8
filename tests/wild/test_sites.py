"""ComBat where sites cannot be told from clinical variables, or are not recorded."""

import numpy as np
import pytest

from glioma_os.errors import DataError
from glioma_os.fusion.harmonization import Combat, check_sites
from glioma_os.fusion.preprocessing import check_combat
from glioma_os.fusion.rows import CLINICAL_COLUMNS, Rows

SITES = ["a"] * 20 + ["b"] * 25 + ["c"] * 15
RNG = np.random.default_rng(0)
AGE = RNG.normal(60, 10, (60, 1))
IS_B = np.array([[float(site == "b")] for site in SITES])


@pytest.mark.parametrize(
    "covariates",
    [IS_B, np.hstack([AGE, IS_B]), np.hstack([AGE, AGE + 3 * IS_B]), np.hstack([AGE, IS_B * 7 + 1])],
    ids=["the site", "beside age", "a combination", "scaled"],
)
def test_a_covariate_that_is_the_site_is_refused(covariates):
    with pytest.raises(DataError, match="differs between sites and not within them"):
        Combat().fit(RNG.normal(size=(60, 5)), SITES, covariates)


@pytest.mark.parametrize(
    "covariates",
    [
        AGE,
        np.hstack([AGE, AGE]),
        np.zeros((60, 1)),
        np.empty((60, 0)),
        np.hstack([AGE, IS_B + (AGE > 75) * (1 - IS_B)]),
    ],
    ids=["age", "twice", "constant", "none", "nearly the site"],
)
def test_what_varies_within_sites_passes(covariates):
    assert np.isfinite(Combat().fit(RNG.normal(size=(60, 5)), SITES, covariates).shift).all()


def test_blank_sites_are_counted_and_refused():
    with pytest.raises(DataError, match="3 of 60 patients without a site"):
        check_sites(["", "", "", *SITES[3:]], AGE)
    with pytest.raises(DataError, match="60 of 60"):
        Combat().fit(RNG.normal(size=(60, 5)), [""] * 60, AGE)


def rows(**columns):
    clinical = np.full((60, len(CLINICAL_COLUMNS)), np.nan)
    for name, values in columns.items():
        clinical[:, CLINICAL_COLUMNS.index(name)] = values
    ids = tuple(f"P{k}" for k in range(60))
    return Rows(ids, ids, np.arange(60) + 100.0, np.ones(60, bool), clinical, tuple(SITES))


def test_the_variable_is_named_before_any_fit():
    idh = np.array([site == "b" for site in SITES], float)
    with pytest.raises(DataError, match="idh found, which differs between sites"):
        check_combat(rows(age=AGE[:, 0], idh=idh), ("age", "idh"))
    recorded = np.where([site == "a" for site in SITES], np.arange(60) % 2, np.nan)
    with pytest.raises(DataError, match="whether mgmt is recorded found"):
        check_combat(rows(age=AGE[:, 0], mgmt=recorded), ("age", "mgmt"))
    check_combat(rows(age=AGE[:, 0], idh=np.arange(60) % 2), ("age", "idh"))
