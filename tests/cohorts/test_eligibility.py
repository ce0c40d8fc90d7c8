"""Who is analysed, who was left out for which reason, and whom an encoder has seen."""

import pytest

from glioma_os.cohorts.cohort import Cohort
from glioma_os.cohorts.eligibility import eligible, labelled_patients, survival_strata
from glioma_os.cohorts.exposure import exposure
from glioma_os.errors import DataError
from glioma_os.records import Case, Clinical, Extent, Outcome


class Given(Cohort):
    def __init__(self, name, cases, aliases=None):
        self.name, self._own, self._named = name, cases, aliases or {}

    def _read(self):
        return self._own, [("x", "follow-up scan")]

    def aliases(self):
        return {who: frozenset({who, *self._named.get(who, ())}) for who in {case.patient_id for case in self._own}}


def case(number, days=100.0, event=True, extent=Extent.GTR, label=None):
    outcome = None if days is None else Outcome(days, event)
    return Case(f"c{number}", f"p{number}", "own", None, label=label, clinical=Clinical(extent=extent), outcome=outcome)


def test_each_reason_is_counted_once_and_in_its_order():
    cohort = Given("own", [case(1), case(2, None), case(3, extent=Extent.BIOPSY), case(4, extent=None), case(5)])
    kept, excluded = eligible(cohort, ("gtr", "str"), {"c1", "c3"})
    assert [one.case_id for one in kept] == ["c1"]
    assert excluded == {"follow-up scan": 1, "no survival recorded": 1, "resection not gtr or str": 2, "no features": 1}
    assert len(eligible(cohort).cases) == 4


def test_nobody_left_names_the_reasons():
    with pytest.raises(DataError, match="1 follow-up scan, 2 no survival recorded"):
        eligible(Given("own", [case(1, None), case(2, None)]))


def test_strata_are_thirds_of_time_apart_for_the_censored():
    outcomes = [(300, True), (10, True), (200, False), (20, False), (100, True), (400, True)]
    cases = [case(number, *outcome) for number, outcome in enumerate(outcomes)]
    assert survival_strata(cases) == [2, 0, 4, 3, 1, 2]


def test_patients_with_a_mask(tmp_path):
    assert labelled_patients(Given("own", [case(2, label=tmp_path / "m"), case(1), case(3, label=tmp_path / "m")])) == [
        "p2", "p3"
    ]  # fmt: skip


def test_exposure_is_direct_by_name_and_by_other_ids_elsewhere():
    own = Given("own", [case(1), case(2), case(3)], {"p2": ["Brats18_2"], "p3": ["e3"]})
    early, late = Given("early", [case(9)], {}), Given("late", [case(3)], {})
    early._own, late._own = [Case("Brats18_2", "Brats18_2", "early", None)], [Case("e3", "e3", "late", None)]
    trained = {"own": ["p1"], "early": ["Brats18_2"], "late": ["e3"]}
    assert exposure(own, trained) == (["p1"], [])
    assert exposure(own, trained, early, [late]) == (["p1", "p3"], ["p2"])
    assert exposure(own, trained, pretraining_id_prefix="Brats18_") == (["p1"], ["p2"])
    assert exposure(own, {}, early, [late]) == ([], [])
