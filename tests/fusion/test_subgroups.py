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
