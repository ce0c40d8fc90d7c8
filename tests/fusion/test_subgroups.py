import numpy as np
import pytest

from glioma_os.fusion.heads.cox import Cox
from glioma_os.fusion.subgroups import subgroup_scores, subgroups
from glioma_os.fusion.validation import nested_validation
from glioma_os.survival.concordance import concordance
from glioma_os.survival.endpoints import Endpoint
from tests.fusion.doubles import cohort, folds_of


def test_a_subgroup_is_scored_on_its_own_rows_and_too_few_say_nothing():
    rows, _ = cohort(90, seed=4)
    result = nested_validation(rows, "clinical", None, [Cox()], Endpoint("os", kind="time"), folds_of(rows))
    lines = {line.subgroup: line for line in subgroup_scores(result, result.age, rows, replicates=200)}
    groups = subgroups(rows)
    assert set(lines) == set(groups) and {"female", "male", "age 65 or more"} <= set(groups)
    assert "IDH mutant" not in groups
    used = groups["age 50 to 64"]
    line = lines["age 50 to 64"]
    assert (line.n, line.deaths) == (used.sum(), rows.event[used].sum())
    assert line.value == pytest.approx(concordance(rows.time[used], rows.event[used], result.age.table.risk[used]))
    assert line.low < line.value < line.high
    young = lines["age under 50"]
    assert np.isnan(young.value) == (young.n < 20 or young.deaths < 10)
