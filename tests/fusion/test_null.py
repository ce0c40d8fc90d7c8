"""Null runs: an honest pipeline stays at chance, a leaky one is caught."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_selection import f_classif

from glioma_os.cohorts.splits import make_folds
from glioma_os.errors import ConfigError
from glioma_os.fusion.heads.logistic import Logistic
from glioma_os.fusion.null import noise_like, null_scores, permute_outcomes, shuffle_features
from glioma_os.fusion.preprocessing import Preparation
from glioma_os.fusion.rows import Rows
from glioma_os.fusion.validation import nested_validation
from glioma_os.records import FeatureTable
from glioma_os.survival.endpoints import Endpoint
from tests.fusion.doubles import cohort, folds_of, table

MEDIAN = Endpoint("median", quantiles=(0.5,))
REAL = Path(os.environ.get("GLIOMA_OS_REAL_DATA", Path(__file__).parents[2] / "../shared/data")) / "tables/tcga"


def run(rows, features, folds):
    head, how = Logistic((0.1, 0.01)), Preparation((5,))
    return nested_validation(rows, ("age",), lambda r, f: features, [head], MEDIAN, folds, inner_folds=2, how=how)


def best_twenty(rows, features):
    """The mistake: features picked by all rows' labels, before any fold is drawn."""
    strength = f_classif(features.values, rows.time > np.median(rows.time))[0]
    kept = np.argsort(-strength)[:20]
    return replace(
        features, values=features.values[:, kept], names=tuple(features.names[k] for k in kept),
        blocks=("latent",) * 20,
    )  # fmt: skip


def wide(n=80, columns=300):
    rows, _ = cohort(n, signal=0.0, censored=0.0)
    return rows, table(rows, np.random.default_rng(1).normal(size=(n, columns)).astype(np.float32))


def test_an_honest_pipeline_stays_at_chance_and_selection_outside_the_folds_is_caught():
    rows, features = wide()
    folds = folds_of(rows)
    scores = {}
    for name, select in (("honest", lambda r, f: f), ("leaky", best_twenty)):

        def validate(number, select=select):
            permuted = permute_outcomes(rows, number)
            return run(permuted, select(permuted, features), folds)

        found = null_scores(validate, range(5), "labels", run(rows, select(rows, features), folds))
        scores[name] = {s.block: s for s in found if s.head == "logistic"}
    assert not any(score.leaks for score in scores["honest"].values())
    assert scores["leaky"]["latent"].leaks and scores["leaky"]["latent"].mean > 0.65


def test_a_real_signal_beats_every_null_run_and_noise_features_know_nothing():
    rows, values = cohort(100, seed=2)
    features, folds = table(rows, values), folds_of(rows)
    real = run(rows, features, folds)
    labels = null_scores(lambda k: run(permute_outcomes(rows, k), features, folds), range(9), "labels", real)
    assert next(s for s in labels if s.block == "fused").p == 0.1
    noise = null_scores(lambda k: run(rows, noise_like(features, k), folds), range(4), "noise", real)
    assert {s.block for s in noise} == {"latent"} and not any(s.leaks for s in noise)
    with pytest.raises(ConfigError):
        null_scores(lambda k: real, range(2), "else", None)


def test_permuted_labels_keep_time_and_event_of_a_patient_together():
    rows, _ = cohort(60, seed=2)
    assert 0 < rows.event.sum() < 60 and len(set(rows.time)) > 30
    for seed in range(3):
        other = permute_outcomes(rows, seed)
        assert sorted(zip(other.time, other.event, strict=True)) == sorted(zip(rows.time, rows.event, strict=True))
        assert not np.array_equal(other.time, rows.time) and np.array_equal(other.clinical, rows.clinical, True)


def test_shuffled_features_lose_what_they_know_and_keep_what_they_are():
    rows, values = cohort(60, seed=2)
    features = table(rows, values)
    other = shuffle_features(features, rows.case_ids[:50], 3)
    assert not np.array_equal(other.values[:50], values[:50]) and np.array_equal(other.values[50:], values[50:])
    assert np.array_equal(np.sort(other.values, axis=0), np.sort(values, axis=0))
    reordered = replace(features, case_ids=features.case_ids[::-1], values=values[::-1])  # another fold's table
    assert np.array_equal(shuffle_features(reordered, rows.case_ids[:50], 3).values, other.values[::-1])


def test_a_copied_outcome_is_seen_beside_shuffled_features():
    rows, _ = cohort(60, seed=2)
    features, folds = table(rows, rows.time[:, None].astype(np.float32)), folds_of(rows)

    def validate(number):
        return run(rows, shuffle_features(features, rows.case_ids, number), folds)

    found = null_scores(validate, range(5), "features", run(rows, features, folds))
    scores = {score.block: score for score in found if score.head == "logistic"}
    assert set(scores) == {"latent", "fused"} and not any(score.leaks for score in found)
    assert scores["latent"].observed > 0.8 > 0.65 > abs(scores["latent"].mean) and scores["latent"].p == 1 / 6
    assert scores["fused"].mean > 0.55  # age is left


@pytest.mark.skipif(not REAL.is_dir(), reason="no TCGA tables under GLIOMA_OS_REAL_DATA")
def test_on_the_real_tcga_table_permuted_labels_stay_within_the_null_band():
    link = pd.read_csv(REAL / "os_link.csv").set_index("ID")
    values = pd.read_csv(REAL / "TCGA_GBM_radiomicFeatures.csv").set_index("ID").drop(columns="Date")
    numbers = values.loc[link.index].apply(pd.to_numeric, errors="coerce").replace([np.inf, -np.inf], np.nan)
    ids = tuple(link.index)
    clinical = np.full((len(ids), 6), np.nan)
    clinical[:, 0] = link["age"]
    rows = Rows(ids, ids, link["t"].to_numpy(float), np.ones(len(ids), bool), clinical)
    features = FeatureTable(ids, tuple(numbers), ("radiomics",) * numbers.shape[1], numbers.to_numpy(np.float32),
                            {"encoder_patients": []})  # fmt: skip
    assert features.values.shape[0] == 76 and features.values.shape[1] > 700
    folds = make_folds(ids, (rows.time > np.median(rows.time)).astype(int).tolist(), 5, 1, 7)
    found = null_scores(lambda k: run(permute_outcomes(rows, k), features, folds), range(6), "labels", None)
    for score in found:
        assert not score.leaks and abs(score.mean - 0.5) < 0.13  # null band at n = 76: ±.13
