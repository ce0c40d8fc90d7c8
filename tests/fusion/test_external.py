"""External validation against references from outside: scikit-survival, and a Cox model fitted by hand."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from glioma_os.cohorts.upenn import UpennCohort
from glioma_os.fusion.clinical import usable_here, usable_there
from glioma_os.fusion.heads.cox import Cox
from glioma_os.fusion.heads.logistic import Logistic
from glioma_os.fusion.rows import CLINICAL_COLUMNS, Rows
from glioma_os.fusion.scores import score
from glioma_os.fusion.updating import recalibrate
from glioma_os.survival.bootstrap import METRICS, Sample
from glioma_os.survival.concordance import concordance
from glioma_os.survival.endpoints import Endpoint
from tests.fusion.doubles import cohort, external_validation
from tests.survival.oracles import PHReg, Surv, brier_score, cumulative_dynamic_auc

DEFAULT = Path(__file__).resolve().parents[2].parent / "shared" / "data"
UPENN = (
    Path(os.environ.get("GLIOMA_OS_REAL_DATA", DEFAULT)) / "tables" / "upenn_gbm" / "UPENN-GBM_clinical_info_v2.1.csv"
)
CUT = 365.5  # between two days, so that no time is equal to it


def renamed(rows, prefix):
    ids = tuple(f"{prefix}{name}" for name in rows.case_ids)
    return replace(rows, case_ids=ids, patient_ids=ids)


def test_censoring_weights_are_the_test_cohorts_own_as_scikit_survival_has_them():
    train, _ = cohort(120, seed=1, censored=0.05)
    test, _ = cohort(150, seed=2, censored=0.5)
    test = replace(test, time=test.time + np.arange(150) / 1000)  # at equal times scikit-survival has G(t), not G(t−)
    endpoint = Endpoint("year", cuts_days=(CUT,), censored="ipcw")
    result = external_validation(train, renamed(test, "o"), ("age",), None, [Logistic()], endpoint)
    y = Surv.from_arrays(test.event, test.time)
    age, known = result.age, result.truth.classes >= 0
    theirs = cumulative_dynamic_auc(y, y, age.table.risk, [CUT])[0][0]
    lines = {(s.head, s.block, s.metric): s for s in score(result, endpoint, 50)}
    assert lines["logistic", "age", "auc"].value == pytest.approx(theirs, abs=1e-6)
    alive = 1 - age.table.probabilities[:, :1]
    expected = brier_score(y, y, alive, [CUT])[1][0]
    errors = np.where(result.truth.classes == 0, age.table.probabilities[:, 1], age.table.probabilities[:, 0]) ** 2
    assert np.sum((result.truth.weights * errors)[known]) / len(test.time) == pytest.approx(expected, abs=1e-6)
    shares = [np.average(result.truth.classes[known] == 0, weights=w[known]) for w in
              (result.truth.weights, np.ones(len(test.time)))]  # fmt: skip
    assert abs(shares[0] - shares[1]) > 0.02


def test_without_censoring_weights_every_row_counts_once():
    train, _ = cohort(80, seed=1)
    test, _ = cohort(60, seed=2)
    result = external_validation(
        train, renamed(test, "o"), ("age",), None, [Logistic()], Endpoint("year", cuts_days=(CUT,))
    )
    assert (result.truth.weights == 1).all()
    sample = Sample(test.time, test.event, result.age.table.risk, result.truth.classes, result.age.table.probabilities)
    line = next(s for s in score(result, result.endpoint, 20) if (s.block, s.metric) == ("age", "auc"))
    assert line.value == pytest.approx(METRICS["auc"](sample)[0])


def test_variables_that_training_hardly_knows_are_dropped_and_others_warned_of():
    train, _ = cohort(200, seed=1)
    test, _ = cohort(150, seed=2)
    rng = np.random.default_rng(0)

    def with_columns(rows, **columns):
        clinical = rows.clinical.copy()
        for name, values in columns.items():
            clinical[:, CLINICAL_COLUMNS.index(name)] = values
        return replace(rows, clinical=clinical)

    n, m = 200, 150
    train = with_columns(
        train, sex=rng.integers(0, 2, n), kps=np.where(np.arange(n) < 150, np.nan, rng.integers(60, 100, n)),
        idh=np.arange(n) < 6,
        mgmt=rng.random(n) < 0.42, eor_not_gtr=rng.random(n) < 0.4, eor_biopsy=0,
    )  # fmt: skip
    test = with_columns(
        test, sex=rng.integers(0, 2, m), kps=90, idh=np.arange(m) < 40, mgmt=rng.random(m) < 0.75,
        eor_not_gtr=rng.random(m) < 0.4, eor_biopsy=0,
    )  # fmt: skip
    variables = ("age", "sex", "kps", "eor", "idh", "mgmt")
    kept, dropped, drifting = usable_there(train, test, variables)
    assert kept == ("age", "sex", "eor", "mgmt")
    assert dropped["kps"] == "recorded in 25% of the training patients" and "nearly constant" in dropped["idh"]
    assert len(drifting) == 1 and drifting[0].startswith("mgmt:") and "check that both define it alike" in drifting[0]
    bare, _ = cohort(40, seed=3)
    kept, dropped = usable_here(bare, variables)
    assert kept == ("age", "sex") and dropped["idh"] == "not recorded"


def test_recalibration_is_measured_on_patients_that_took_no_part():
    train, _ = cohort(150, seed=1)
    test, _ = cohort(200, seed=2)
    test = replace(renamed(test, "o"), time=test.time * 2)  # everybody lives twice as long there
    result = external_validation(
        train, test, ("age",), None, [Logistic(), Cox()], Endpoint("year", cuts_days=(CUT,)), horizons_days=(200, 400)
    )
    found = recalibrate(result.named("cox", "age"), result.truth, np.array([200.0, 400.0]))
    assert found.brier_after < found.brier_before - 0.02 and found.ibs_after < found.ibs_before


@pytest.mark.skipif(not UPENN.exists(), reason="real tables not here: set GLIOMA_OS_REAL_DATA")
def test_age_and_resection_reach_what_a_cox_model_fitted_by_hand_reaches():
    rows = Rows.from_cases(UpennCohort(UPENN).cases())
    first = np.random.default_rng(0).random(len(rows.time)) < 0.5

    def part(used):
        ids = tuple(name for name, own in zip(rows.case_ids, used, strict=True) if own)
        return Rows(ids, ids, rows.time[used], rows.event[used], rows.clinical[used])

    train, test = part(first), part(~first)
    endpoint = Endpoint("os", kind="time")
    result = external_validation(train, test, ("age", "eor"), None, [Cox(l2=(1.0,))], endpoint)
    ours = concordance(test.time, test.event, result.named("cox", "clinical").table.risk)
    columns = [CLINICAL_COLUMNS.index(name) for name in ("age", "eor_not_gtr")]

    def design(of):
        values = of.clinical[:, columns]
        missing = np.isnan(values[:, 1])
        return np.column_stack(
            [values[:, 0], np.where(missing, np.nanmedian(train.clinical[:, 3]), values[:, 1]), missing]
        )

    fit = PHReg(train.time, design(train), status=train.event.astype(int), ties="efron").fit()
    by_hand = concordance(test.time, test.event, design(test) @ fit.params)
    age = concordance(test.time, test.event, test.clinical[:, 0])
    assert ours == pytest.approx(by_hand, abs=0.002) and ours > age
