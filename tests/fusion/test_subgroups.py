from dataclasses import replace

import numpy as np
import pytest

from glioma_os.fusion.heads.cox import Cox
from glioma_os.fusion.rows import clinical_variables
from glioma_os.fusion.subgroups import subgroup_scores, subgroups
from glioma_os.fusion.validation import nested_validation
from glioma_os.survival.concordance import weighted_concordance
from glioma_os.survival.endpoints import Endpoint
from tests.fusion.doubles import cohort, folds_of


def within_folds(rows, used, result):
    table = result.age.table
    ones = np.ones((1, used.sum()))
    own = rows.time[used], rows.event[used], table.risk[used], ones
    return weighted_concordance(*own, strata=table.fold[used])[0]


def test_a_subgroup_is_scored_on_its_own_rows_and_too_few_say_nothing():
    rows, _ = cohort(90, seed=4)
    result = nested_validation(
        rows, clinical_variables("clinical"), None, [Cox()], Endpoint("os", kind="time"), folds_of(rows)
    )
    lines = {line.subgroup: line for line in subgroup_scores(result, result.age, rows, replicates=200)}
    groups = subgroups(rows)
    assert set(lines) == set(groups) and {"female", "male", "age 65 or more"} <= set(groups)
    assert "IDH mutant" not in groups
    used = groups["age 50 to 64"]
    line = lines["age 50 to 64"]
    assert (line.n, line.deaths) == (used.sum(), rows.event[used].sum())
    assert line.value == pytest.approx(within_folds(rows, used, result))
    assert line.low < line.value < line.high
    young = lines["age under 50"]
    assert np.isnan(young.value) == (young.n < 20 or young.deaths < 10)


def test_an_age_on_the_edge_belongs_to_the_older_band_and_everyone_to_one():
    rows, _ = cohort(5)
    clinical = rows.clinical.copy()
    clinical[:, 0] = [49.99, 50.0, 64.99, 65.0, np.nan]
    clinical[:, 2] = [79.0, 80.0, 70.0, 90.0, np.nan]  # KPS
    groups = subgroups(replace(rows, clinical=clinical))
    bands = [groups[name].tolist() for name in ("age under 50", "age 50 to 64", "age 65 or more")]
    assert bands == [[k in own for k in range(5)] for own in ({0}, {1, 2}, {3})]
    assert groups["KPS 80 or more"].tolist() == [False, True, False, True, False]
