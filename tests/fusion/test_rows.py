import numpy as np
import pytest

from glioma_os.errors import ConfigError, DataError
from glioma_os.fusion.rows import CLINICAL_COLUMNS, Rows, clinical_values, clinical_variables
from glioma_os.records import Case, Clinical, Extent, Outcome

FULL = Clinical(61.5, "M", 80, Extent.GTR, False, True)
CASES = [
    Case("a", "p1", "brats", None, clinical=FULL, outcome=Outcome(300, True)),
    Case("b", "p2", "brats", None, clinical=Clinical(extent=Extent.STR), outcome=Outcome(361, False)),
]


def test_not_recorded_stays_nan():
    values = clinical_values(CASES)
    assert CLINICAL_COLUMNS == ("age", "sex", "kps", "eor_not_gtr", "eor_biopsy", "idh", "mgmt")
    assert values[0].tolist() == [61.5, 1, 80, 0, 0, 0, 1]
    assert np.isnan(values[1]).tolist() == [True, True, True, False, False, True, True]
    assert values[1, 3:5].tolist() == [1, 0]
    biopsy = Case("c", "p", "brats", None, clinical=Clinical(extent=Extent.BIOPSY))
    assert clinical_values([biopsy])[0, 3:5].tolist() == [1, 1]


def test_clinical_variables_are_chosen_by_name():
    assert clinical_variables("age") == ("age",) and len(clinical_variables("clinical")) == 6
    assert clinical_variables(["eor", "age"]) == ("age", "eor")
    for wrong in ("all", ["age", "resection"], []):
        with pytest.raises(ConfigError, match=r"validation.clinical"):
            clinical_variables(wrong)


def test_rows_keep_order_and_outcome():
    rows = Rows.from_cases(CASES)
    assert rows.case_ids == ("a", "b") and rows.patient_ids == ("p1", "p2")
    assert rows.time.tolist() == [300, 361] and rows.event.tolist() == [True, False]
    assert rows.columns(("age",)).shape == (2, 1) and rows.columns(("age", "eor")).shape == (2, 3)


def test_a_case_without_outcome_or_twice_is_refused():
    with pytest.raises(DataError, match="c: no survival recorded, as for 1 of 3"):
        Rows.from_cases([*CASES, Case("c", "p3", "brats", None)])
    with pytest.raises(DataError):
        Rows.from_cases([CASES[0], CASES[0]])
    with pytest.raises(DataError):
        Rows.from_cases([])
