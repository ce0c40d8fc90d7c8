"""Inner folds: what a setting is chosen by was never fitted on, and nothing of it reaches the inputs."""

from dataclasses import replace

import numpy as np
import pytest

from glioma_os.fusion.heads.cox import Cox
from glioma_os.fusion.plan import AGE, Block, Candidate, Planner, make_split
from glioma_os.fusion.preprocessing import Preparation
from glioma_os.survival.endpoints import Endpoint
from tests.fusion.doubles import cohort, table

ENDPOINT = Endpoint("median", quantiles=(0.5,))
FUSED = Block("fused", ("age",), ("latent",))
TWO = Candidate({"l2": 1.0}, 2)


@pytest.fixture(scope="module")
def rows():
    drawn, values = cohort(90, seed=5)
    patients = tuple(f"p{k // 2}" for k in range(90))  # two sessions each
    return replace(drawn, patient_ids=patients), values


def planner_of(rows, values):
    train, test = np.arange(60), np.arange(60, 90)
    split = make_split(rows, train, test, ENDPOINT, 3, table(rows, values), (0, 0), 4)
    return split, Planner(rows, [split], ENDPOINT, Preparation((2,)))


def test_inner_folds_part_the_training_patients_and_hold_out_what_they_do_not_fit(rows):
    split, planner = planner_of(*rows)
    patients = np.array(rows[0].patient_ids)
    held = np.concatenate([own for _, own in split.inner])
    assert sorted(held) == list(range(60))
    for number, (fit, own) in enumerate(split.inner):
        assert not set(patients[fit]) & set(patients[own]) and sorted([*fit, *own]) == list(range(60))
        task = planner.task(split, AGE, Candidate({"l2": 1.0}, None), number)
        assert len(task.inputs) == len(fit) < 60 and np.array_equal(task.time, rows[0].time[fit])
    assert len(planner.task(split, AGE, Candidate({"l2": 1.0}, None)).inputs) == 60


def test_features_and_outcomes_of_held_rows_change_neither_inputs_nor_fit(rows):
    drawn, values = rows
    split, planner = planner_of(drawn, values)
    fit, held = split.inner[1]
    disturbed, time = values.copy(), drawn.time.copy()
    disturbed[held] *= -50
    before = planner.task(split, FUSED, TWO, 1)
    other = replace(split, features=disturbed)
    after = Planner(replace(drawn, time=time), [other], ENDPOINT, planner.how).task(other, FUSED, TWO, 1)
    assert np.array_equal(before.inputs, after.inputs)
    assert not np.array_equal(before.test_inputs, after.test_inputs)
    choice = planner.choose(Cox((1.0,)), [FUSED])[0, FUSED]
    shuffled = drawn.time.copy()
    shuffled[held] = shuffled[held][::-1]
    moved = Planner(replace(drawn, time=shuffled), [split], ENDPOINT, planner.how).choose(Cox((1.0,)), [FUSED])
    assert np.array_equal(choice.risk[held], moved[0, FUSED].risk[held])  # `train` is 0…59: places are rows
    assert not np.array_equal(choice.risk[fit], moved[0, FUSED].risk[fit])
