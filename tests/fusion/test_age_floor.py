"""Age alone on the real BraTS2020 table ranks as age itself does: what any model has to beat."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from glioma_os.fusion.heads.cox import Cox
from glioma_os.fusion.heads.logistic import Logistic
from glioma_os.fusion.heads.weibull import WeibullAFT
from glioma_os.fusion.rows import Rows
from glioma_os.fusion.scores import samples_of, score
from glioma_os.fusion.validation import nested_validation
from glioma_os.survival.bootstrap import METRICS
from glioma_os.survival.endpoints import Endpoint
from tests.fusion.doubles import folds_of

DEFAULT = Path(__file__).resolve().parents[2].parent / "shared" / "data"
TABLE = Path(os.environ.get("GLIOMA_OS_REAL_DATA", DEFAULT)) / "tables" / "brats" / "survival_info_2020.csv"
pytestmark = pytest.mark.skipif(not TABLE.exists(), reason="real tables not here: set GLIOMA_OS_REAL_DATA")

ENDPOINTS = {
    "median": Endpoint("median", quantiles=(0.5,)),
    "300": Endpoint("300", cuts_days=(300,)),
    "365": Endpoint("365", cuts_days=(365,)),
    "450": Endpoint("450", cuts_days=(450,)),
    "three_class": Endpoint("three_class", cuts_days=(300, 450)),
    "time": Endpoint("time", kind="time"),
}
# Nothing fitted at all: age itself, older = higher risk, all patients in one ranking, a fixed cut (DATA.md).
RAW_AGE = {("gtr", "365"): 0.707, ("gtr", "450"): 0.680, ("all", "365"): 0.677, ("all", "450"): 0.642}
MAJORITY = {"all": 0.379, "gtr": 0.390}


def real_rows(which):
    table = pd.read_csv(TABLE, keep_default_na=False)
    if which == "gtr":
        table = table[table["Extent_of_Resection"] == "GTR"]
    alive = table["Survival_days"].str.extract(r"ALIVE \((\d+) days later\)")[0]
    time = alive.fillna(table["Survival_days"]).astype(float).to_numpy()
    clinical = np.full((len(table), 7), np.nan)
    clinical[:, 0] = table["Age"].astype(float)
    ids = tuple(table["Brats20ID"])
    return Rows(ids, ids, time, alive.isna().to_numpy(), clinical)


def floor(which, name, repeats=10, replicates=50):
    rows = real_rows(which)
    result = nested_validation(rows, ("age",), None, [], ENDPOINTS[name], folds_of(rows, repeats=repeats))
    return result, {(line.block, line.metric): line for line in score(result, ENDPOINTS[name], replicates)}


def test_the_table_is_the_one_described():
    everyone, gtr = real_rows("all"), real_rows("gtr")
    assert (len(everyone.time), len(gtr.time)) == (236, 119)
    assert everyone.time[~everyone.event].tolist() == gtr.time[~gtr.event].tolist() == [361]


@pytest.mark.parametrize("name", ENDPOINTS)
@pytest.mark.parametrize("which", ["all", "gtr"])
def test_the_age_row_is_age_itself_on_the_same_patients_cuts_and_folds(which, name):
    result, lines = floor(which, name, repeats=10 if (which, name) in RAW_AGE else 2)
    by_id = dict(zip(real_rows(which).case_ids, real_rows(which).clinical[:, 0], strict=True))
    raw = np.array([by_id[case] for case in result.truth.case_ids])
    for metric in ("c_index", "spearman", *(("auc",) if result.endpoint.n_classes == 2 else ())):
        by_repeat = []
        for sample in samples_of(result, replace_risk(result.age, raw)):
            by_repeat.append(METRICS[metric](sample)[0])
        assert lines["age", metric].value == pytest.approx(np.mean(by_repeat), abs=1e-12), metric
    if (which, name) in RAW_AGE:
        assert lines["age", "auc"].value == pytest.approx(RAW_AGE[which, name], abs=0.003)
    assert result.undetermined == (0 if name == "time" else int(name not in ("300",)))
    if name == "three_class":
        assert lines["none", "accuracy"].value == pytest.approx(MAJORITY[which], abs=0.02)


def replace_risk(configuration, risk):
    return replace(configuration, table=replace(configuration.table, risk=risk))


@pytest.mark.parametrize("name", ["median", "365", "time"])
def test_heads_that_only_rank_by_age_differ_from_it_by_nothing(name):
    """Cox and logistic regression of age alone are monotone in age: the true difference is 0, and so is ours."""
    rows, endpoint = real_rows("gtr"), ENDPOINTS[name]
    heads = [Cox(), Logistic()] if endpoint.n_classes else [Cox(), WeibullAFT()]
    result = nested_validation(rows, ("age",), None, heads, endpoint, folds_of(rows, repeats=2))
    ensemble = next(s for s in score(result, endpoint, 200) if s.head == "ensemble" and s.metric in ("auc", "c_index"))
    assert (ensemble.delta_to_age, ensemble.delta_low, ensemble.delta_high) == (0, 0, 0)
