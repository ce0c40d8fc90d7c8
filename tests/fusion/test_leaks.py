"""Columns that give the outcome away are named; honest tables, drawn and published, are left alone."""

import os
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import rankdata

from glioma_os.cohorts.brats import BratsTableCohort
from glioma_os.cohorts.table import TableCohort
from glioma_os.cohorts.upenn import UpennCohort
from glioma_os.data.feature_csv import read_feature_csv
from glioma_os.fusion.leaks import (
    implausible_columns,
    is_row_number,
    leaking_columns,
    log_rank_scores,
    suspected_selection,
)

REAL = Path(os.environ.get("GLIOMA_OS_REAL_DATA", Path(__file__).parents[2] / "../shared/data")) / "tables"
real = pytest.mark.skipif(not REAL.is_dir(), reason="no real tables under GLIOMA_OS_REAL_DATA")


def outcome(n=80, seed=0, censored=0.25):
    rng = np.random.default_rng(seed)
    died, followed = np.exp(rng.normal(5.74, 0.96, n)), np.exp(rng.normal(5.74 + 2 * (0.5 - censored), 0.96, n))
    return np.ceil(np.minimum(died, followed)), died <= followed


def named(columns, time, event, **options):
    values = np.column_stack(list(columns.values())).astype(float)
    found = leaking_columns(list(columns), values, time, event, **options)
    return {finding.column: finding.reason for finding in found}


COPIES = {
    "days": lambda t, e: t,
    "log days": lambda t, e: -np.log(t),
    "rank": lambda t, e: rankdata(t),
    "months": lambda t, e: np.round(t / 30.44),
    "nearly days": lambda t, e: t + np.random.default_rng(1).normal(0, 5, len(t)),
    "days of the dead": lambda t, e: np.where(e, t, np.nan),
    "signed days": lambda t, e: np.where(e, t, -t),
    "event": lambda t, e: e,
    "alive": lambda t, e: ~e,
    "long": lambda t, e: t > np.median(t),
    "died in a year": lambda t, e: e & (t <= 365),
    "three classes": lambda t, e: (t > 300) * 1 + (t > 450),
    "terciles": lambda t, e: np.searchsorted(np.quantile(t, [1 / 3, 2 / 3]), t),
    "terciles in another order": lambda t, e: np.array([2, 0, 1])[np.searchsorted(np.quantile(t, [1 / 3, 2 / 3]), t)],
    "middle": lambda t, e: (t > np.quantile(t, 1 / 3)) & (t <= np.quantile(t, 2 / 3)),
}


@pytest.mark.parametrize("n", [40, 80, 300])
@pytest.mark.parametrize("name", COPIES)
def test_a_copy_of_the_outcome_is_named(name, n):
    time, event = outcome(n)
    found = named({name: COPIES[name](time, event), "noise": np.random.default_rng(2).normal(size=n)}, time, event)
    assert list(found) == [name], found


@pytest.mark.parametrize("seed", range(20))
def test_noise_rare_values_and_strong_signals_are_no_copies(seed):
    time, event = outcome(60, seed, censored=0.05)
    rng = np.random.default_rng(seed + 1000)
    few = np.zeros(60)
    few[np.argsort(time)[:3]] = 1  # a rare value that the three shortest survivors share
    columns = {"noise": rng.normal(size=60), "rare": rng.random(60) < 0.04, "few": few, "constant": np.ones(60),
               "blank": np.full(60, np.nan), "strong": np.log(time) + rng.normal(0, 0.4, 60)}  # fmt: skip
    assert named(columns, time, event) == {}


def test_a_real_effect_beside_two_censored_patients_is_no_copy_of_the_event():
    rng = np.random.default_rng(7)
    signal = rng.normal(size=200)
    time = np.ceil(np.exp(5.74 - 0.6 * signal + rng.normal(0, 0.6, 200)))
    event = np.ones(200, bool)
    event[np.argsort(signal)[:2]] = False
    assert named({"signal": signal}, time, event) == {}


def test_columns_without_a_name_and_row_numbers_are_named():
    time, event = outcome(30)
    noise = np.random.default_rng(9).normal(size=30)
    found = named({"Unnamed: 0": noise, " ": noise, "t1/Unnamed: 3": noise, "n": noise, "x": noise}, time, event,
                  row_numbers=["n"])  # fmt: skip
    assert list(found) == ["Unnamed: 0", " ", "t1/Unnamed: 3", "n"] and "no name" in found[" "]
    assert found["n"] == "is the row number"
    for start, step in ((0, 1), (17, 1), (30, -1)):
        assert is_row_number(start + step * np.arange(30.0))
    for values in (np.arange(4.0), np.arange(30.0) * 2, np.arange(30) + 0.5, np.r_[np.arange(29.0), np.nan]):
        assert not is_row_number(values)


def test_log_rank_scores_sum_to_zero_and_follow_the_definition():
    time, event = np.array([3.0, 1.0, 2.0, 2.0]), np.array([True, True, True, False])
    assert log_rank_scores(time, event) == pytest.approx([1 - (1 / 4 + 1 / 3 + 1), 1 - 1 / 4, 1 - 7 / 12, -7 / 12])
    assert abs(log_rank_scores(*outcome()).sum()) < 1e-9


def suspected(values, time, event):
    return suspected_selection([f"c{k}" for k in range(values.shape[1])], values, time, event)


@pytest.mark.parametrize("n", [40, 119, 400])
@pytest.mark.parametrize("target", [lambda t: t > np.median(t), np.log])
def test_twenty_of_two_thousand_noise_columns_chosen_on_all_patients_are_suspected(n, target):
    time, event = outcome(n)
    values = np.random.default_rng(3).normal(size=(n, 2000))
    strength = np.abs(np.corrcoef(np.column_stack([values, target(time)]).T)[-1, :-1])
    found = suspected(values[:, np.argsort(-strength)[:20]], time, event)
    assert len(found.columns) == 20 and "nearly uncorrelated" in found.reason
    assert suspected(values[:, :20], time, event) is None and suspected(values, time, event) is None


def honest(kind, n, m, rng):
    """Features (n, m) and days driven by them: a few, all a little, some factors behind all, one factor."""
    factors, noise = rng.normal(size=(n, 5)), rng.normal(size=(n, m))
    values, risk = {
        "nothing": (noise, rng.normal(size=n)),
        "few": (noise, 0.5 * noise[:, :3].sum(1)),
        "all": (noise, noise @ rng.normal(size=m) * 0.8 / m**0.5),
        "factors": (factors @ rng.normal(size=(5, m)) + 1.5 * noise, factors[:, :2].sum(1) / 2),
        "one factor": (0.5 * factors[:, :1] + 0.87 * noise, 0.7 * factors[:, 0]),
        "copies": (factors[:, :1] + 0.1 * noise, 0.7 * factors[:, 0]),
    }[kind]
    return values, np.ceil(np.exp(5.74 - 0.96 * risk + rng.normal(0, 0.6, n)))


@pytest.mark.parametrize("kind", ["nothing", "few", "all", "factors", "one factor", "copies"])
def test_honest_tables_are_not_suspected(kind):
    rng = np.random.default_rng(5)
    for n, m in [(40, 12), (119, 30), (300, 100)] * 5:
        values, time = honest(kind, n, m, rng)
        assert suspected(values, time, rng.random(n) < 0.9) is None
        assert named({str(k): values[:, k] for k in range(m)}, time, np.ones(n, bool)) == {}


def tables():
    brats = read_feature_csv(REAL / "brats/radiomics_2020_33_features.csv", "BraTS_2020_subject_ID", drop=["Grade"],
                             pattern="^volume_", to="BraTS20_Training_")  # fmt: skip
    yield BratsTableCohort(REAL / "brats/survival_info_2020.csv"), brats
    captk = read_feature_csv(str(REAL / "upenn_gbm/captk/*.csv"), "SubjectID")
    yield UpennCohort(REAL / "upenn_gbm/UPENN-GBM_clinical_info_v2.1.csv"), captk
    tcga = read_feature_csv(REAL / "tcga/TCGA_GBM_radiomicFeatures.csv", "ID", drop=["Date"])
    yield TableCohort(REAL / "tcga/os_link.csv", "ID", "age", "t", None), tcga


@real
def test_published_radiomics_are_neither_refused_nor_suspected():
    sizes = []
    for cohort, table in tables():
        held = set(table.case_ids)
        cases = [case for case in cohort.cases() if case.case_id in held and case.outcome]
        values = table.rows([case.case_id for case in cases]).astype(float)
        time, event = (np.array([getattr(c.outcome, key) for c in cases]) for key in ("time_days", "event"))
        assert table.provenance["row_number_columns"] == []
        assert leaking_columns(table.names, values, time, event) == []
        assert suspected_selection(table.names, values, time, event) is None
        sizes.append(values.shape)
    assert sizes == [(236, 33), (228, 1728), (76, 724)]


def test_a_selection_among_the_deaths_is_suspected():
    rng = np.random.default_rng(0)
    time, event = outcome(n=300)
    noise = rng.normal(size=(300, 2000))
    days = time[event]
    r = np.abs(np.corrcoef(np.column_stack([days, noise[event]]).T)[0, 1:])
    chosen = noise[:, np.argsort(-r)[:20]]
    names = [f"n{k}" for k in range(20)]
    assert suspected_selection(names, chosen, time, event) is not None


def test_a_column_that_ranks_too_well_is_named_and_honest_ones_are_not():
    rng = np.random.default_rng(1)
    time, event = outcome(n=200)
    noisy = np.log(time) + rng.normal(0, 0.3, 200)
    honest = -0.5 * np.log(time) / np.log(time).std() + rng.normal(size=200)
    values = np.column_stack([noisy, honest, rng.normal(size=200)])
    found = implausible_columns(["copy", "honest", "noise"], values, time, event)
    assert found.columns == ("copy",) and "'copy' alone has C 0." in found.reason
    assert implausible_columns(["honest", "noise"], values[:, 1:], time, event) is None
    assert implausible_columns(["copy"], noisy[:20, None], time[:20], event[:20]) is None
