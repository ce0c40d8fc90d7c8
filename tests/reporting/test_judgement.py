"""What the report answers a reviewer."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from glioma_os.fusion.scores import Score
from glioma_os.reporting.estimates import SEPARATED
from glioma_os.reporting.judgement import judgement, of_configuration, rows_of, subgroup_rows
from glioma_os.reporting.sample_size import training_patients
from glioma_os.survival.horizon import calibration_slope, observed_expected
from glioma_os.survival.sample_size import binary_criteria, r_squared_of_auc
from glioma_os.survival.stratified import stratified_delong

AGE = ["logistic", "age"]


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    n, rows = 80, []
    signal = rng.normal(size=n)
    time = np.exp(5.7 - 0.8 * signal + rng.normal(0, 0.5, n))
    short = time < 300
    for head, block, strength in (("logistic", "age", 0.3), ("auto", "fused", 1.5)):
        for repeat in range(2):
            risk = strength * signal + rng.normal(size=n)
            p = 1 / (1 + np.exp(-risk))
            alive = [np.exp(-np.exp(0.8 * signal) * day / 400) for day in (90, 365, 730)]
            rows += [
                [head, block, f"c{k}", f"c{k}", repeat, k % 5, time[k], 1, int(not short[k]), risk[k], p[k], 1 - p[k],
                 *(own[k] for own in alive)]
                for k in range(n)
            ]  # fmt: skip
    names = ["head", "block", "case_id", "patient_id", "repeat", "fold", "time_days", "event", "class", "risk",
             "p_class_0", "p_class_1", "alive_90", "alive_365", "alive_730"]  # fmt: skip
    return pd.DataFrame(rows, columns=names)


def test_a_reviewer_finds_tests_calibration_and_sample_size(frame):
    best = Score("auto", "fused", "auc", 0.8, 0.7, 0.9, 80, 0.2, 0.1, 0.3, 0)
    lines = dict(judgement(frame, best, AGE, 5))
    ours, age = (rows_of(frame, *key) for key in (("auto", "fused"), AGE))
    by_hand = stratified_delong(ours["class"] == 0, ours["risk"], age["risk"], ours["repeat"], ours["fold"])
    assert f"{by_hand.difference:+.3f}" in lines["DeLong test vs age alone"] and by_hand.p < 0.05
    assert "10 folds" in lines["Difference from age alone, by fold"]
    assert re.search(r"O:E \d.*slope \d.*intercept [+-]", lines["Calibration"])
    assert re.search(r"χ² \d", lines["Survival curves"])


def test_the_sample_size_is_held_against_the_training_patients_not_all(frame):
    best = Score("auto", "fused", "auc", 0.8, 0.7, 0.9, 80, 0.2, 0.1, 0.3, 0)
    own = rows_of(frame, "auto", "fused")
    assert training_patients(own) == 64  # 80 patients, the largest of 5 folds holds 16
    text = dict(judgement(frame, best, AGE, 12))["Sample size"]
    short = float(np.mean(own.loc[own["repeat"] == 0, "class"] == 0))
    needed = binary_criteria(12, r_squared_of_auc(0.8, short), short)
    assert "for 12 parameters" in text and f"largest {needed.largest} patients" in text
    assert all(f": {value}" in text for value in needed) and "training fold has 64 patients" in text
    weak = dict(judgement(frame, replace(best, value=0.45), AGE, 12))["Sample size"]
    assert "are undefined" in weak


def test_age_alone_is_not_compared_with_itself(frame):
    alone = Score("logistic", "age", "auc", 0.6, 0.5, 0.7, 80, 0.0, 0.0, 0.0, 0)
    terms = [term for term, _ in judgement(frame, alone, AGE, None)]
    assert terms == ["Calibration", "Survival curves"]


def test_times_are_judged_at_one_year(frame):
    times = frame.drop(columns=["p_class_0", "p_class_1"]).assign(**{"class": -1})
    best = Score("auto", "fused", "c_index", 0.75, 0.7, 0.8, 80, 0.2, 0.1, 0.3, 0)
    lines = dict(judgement(times, best, AGE, 5))
    assert list(lines) == ["Calibration", "Sample size", "Survival curves"]
    own = of_configuration(times, "auto", "fused")
    time, died, risk = own["time_days"].to_numpy(), own["event"].to_numpy() > 0, 1 - own["alive_365"].to_numpy()
    ratio, slope = observed_expected(time, died, risk, 365), calibration_slope(time, died, risk, 365)
    assert f"O:E {ratio.ratio:.2f}" in lines["Calibration"] and f"slope {slope.value:.2f}" in lines["Calibration"]
    assert "at 365 days" in lines["Calibration"] and "integrated calibration index" in lines["Calibration"]
    assert "for 5 parameters, C 0.75" in lines["Sample size"] and "deaths per parameter" in lines["Sample size"]


def test_a_horizon_without_an_estimate_says_so(frame):
    times = frame.drop(columns=["p_class_0", "p_class_1"]).assign(**{"class": -1, "event": 0})
    best = Score("auto", "fused", "c_index", 0.75, 0.7, 0.8, 80, 0.2, 0.1, 0.3, 0)
    assert "not estimable" in dict(judgement(times, best, AGE))["Calibration"]


def test_ranks_do_not_depend_on_the_scale_of_a_fold(frame):
    moved = frame.assign(risk=np.where(frame["fold"] == 1, 50 + 3 * frame["risk"], frame["risk"]))
    best = Score("auto", "fused", "auc", 0.8, 0.7, 0.9, 80, 0.2, 0.1, 0.3, 0)
    assert np.allclose(*(of_configuration(f, "auto", "fused")["rank"] for f in (frame, moved)))
    assert judgement(frame, best, AGE) == judgement(moved, best, AGE)


def test_separated_outcomes_are_reported_not_raised(frame):
    sure = frame["class"].map({0: 0.9, 1: 0.1})
    separated = frame.assign(p_class_0=sure, p_class_1=1 - sure)
    best = Score("auto", "fused", "auc", 1.0, 1.0, 1.0, 80, 0.2, 0.1, 0.3, 0)
    lines = dict(judgement(separated, best, AGE, 3))
    assert SEPARATED in lines["Calibration"] and "are undefined" in lines["Sample size"]


def test_subgroups_too_small_are_said_so():
    lines = [dict(subgroup="a", n="30", deaths="20", value="0.61", low="0.5", high="0.7"),
             dict(subgroup="b", n="5", deaths="2", value="nan", low="nan", high="nan")]  # fmt: skip
    assert subgroup_rows(lines) == [("a", 30, 20, "0.61 [0.50, 0.70]"), ("b", 5, 2, "too few")]
