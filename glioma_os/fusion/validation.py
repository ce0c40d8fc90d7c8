"""Every head on every block of inputs: nested repeated cross-validation, or frozen on one cohort and put to another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from sklearn.linear_model import LogisticRegression

from glioma_os.fusion.develop import Progress, develop
from glioma_os.fusion.folds import FeaturesOfFold, Folds, LeakPolicy, check_partition, seen_by_encoder, split_rows
from glioma_os.fusion.heads.contract import Head
from glioma_os.fusion.pipeline import NewRows, Pipeline
from glioma_os.fusion.plan import Block, Planner, Split, blocks_of, make_split
from glioma_os.fusion.preprocessing import Preparation
from glioma_os.fusion.results import Layout, ValidationResult, configurations_of
from glioma_os.fusion.rows import Rows
from glioma_os.records import Array, FeatureTable
from glioma_os.survival.classification import macro_auc
from glioma_os.survival.endpoints import Endpoint, class_weights, classes
from glioma_os.survival.ipcw import supported_horizons

PREPARATION = Preparation()


def nested_validation(
    rows: Rows,
    variables: tuple[str, ...],
    features: FeaturesOfFold | None,
    heads: Sequence[Head],
    endpoint: Endpoint,
    folds: Folds,
    inner_folds: int = 3,
    how: Preparation = PREPARATION,
    horizons_days: Sequence[float] = (),
    leak_policy: LeakPolicy = "strict",
    seed: int = 0,
    progress: Progress | None = None,
) -> ValidationResult:
    """Out-of-fold predictions; majority and age-only (logistic or Cox) are always reported with the heads.

    `variables`: clinical variables by name. Cuts, imputation, harmonisation, scaling, PCA and the choice of a setting
    see the outer training rows only.
    """
    splits, seen = _splits(rows, features, endpoint, folds, inner_folds, leak_policy, seed)
    planner = Planner(rows, splits, endpoint, how)
    pipelines = develop(planner, variables, heads, progress)
    return _result(planner, pipelines, heads, variables, np.asarray(horizons_days, float), seen, leak_policy)


def develop_on(
    rows: Rows,
    variables: tuple[str, ...],
    features: FeatureTable | None,
    heads: Sequence[Head],
    endpoint: Endpoint,
    inner_folds: int = 3,
    how: Preparation = PREPARATION,
    seed: int = 0,
    progress: Progress | None = None,
) -> Pipeline:
    """The pipeline fitted on every row, settings chosen by its inner folds: what can be stored and applied later."""
    everyone = np.arange(len(rows.case_ids))
    split = make_split(rows, everyone, everyone[:0], endpoint, inner_folds, features, (0, 0), seed)
    (pipeline,) = develop(Planner(rows, [split], endpoint, how), variables, heads, progress)
    return replace(pipeline, feature_names=() if features is None else features.names)


def apply_to(
    pipeline: Pipeline, others: Rows, features: FeatureTable | None, heads: Sequence[Head],
    variables: tuple[str, ...], how: Preparation, horizons_days: Sequence[float] = (),
) -> ValidationResult:  # fmt: skip
    """`others` predicted once by a frozen pipeline, without a refit.

    Inverse-probability-of-censoring weights come from the new cohort's own censoring, as its follow-up is its own.
    """
    everyone = np.arange(len(others.case_ids))
    endpoint, cuts = pipeline.endpoint, pipeline.cuts_days
    split = _predicting_split(others, everyone, endpoint, cuts, features)
    planner = Planner(others, [split], endpoint, how)
    horizons = np.asarray(horizons_days, float)
    return _result(planner, [pipeline], heads, variables, horizons, None, "strict")


def _predicting_split(rows: Rows, test: Array, endpoint: Endpoint, cuts: Array, table: FeatureTable | None) -> Split:
    """A split that predicts only: nothing to train on, and weights from the rows' own censoring."""
    of_rows = classes(rows.time, rows.event, cuts)
    values = np.empty((len(rows.time), 0)) if table is None else table.rows(list(rows.case_ids))
    blocks = () if table is None else table.blocks
    return Split(0, 0, test[:0], test, cuts, of_rows, _own_weights(rows, endpoint, cuts), [], values, blocks, 0)


def _own_weights(rows: Rows, endpoint: Endpoint, cuts: Array) -> Array:
    if not endpoint.n_classes or endpoint.censored != "ipcw":
        return np.ones(len(rows.time))
    return class_weights(rows.time, rows.event, cuts, np.arange(len(rows.time)))


def _result(
    planner: Planner,
    pipelines: Sequence[Pipeline],
    heads: Sequence[Head],
    variables: tuple[str, ...],
    horizons_days: Array,
    seen: int | None,
    policy: LeakPolicy,
) -> ValidationResult:
    predictions = [
        pipeline.predict(_new_rows(planner.rows, split), horizons_days)
        for pipeline, split in zip(pipelines, planner.splits, strict=True)
    ]
    blocks = blocks_of(variables, tuple(dict.fromkeys(planner.splits[0].blocks)))
    tried = {(head.name, block.name): len(planner.candidates(head, block)) for head in heads for block in blocks}
    layout = Layout.of(planner, _evaluate(planner))
    truth = layout.truth()
    return ValidationResult(
        planner.endpoint,
        truth,
        configurations_of(planner, pipelines, predictions, tried, layout, horizons_days),
        float(np.sum(truth.classes < 0) / (truth.repeat.max() + 1)),
        seen,
        policy,
        tuple(split.cuts for split in planner.splits),
        _evaluation_horizons(planner, horizons_days),
        _site_auc(planner),
        tuple(pipelines),
    )


def _new_rows(rows: Rows, split: Split) -> NewRows:
    return NewRows(rows.clinical[split.test], split.features[split.test], tuple(rows.sites_of(split.test)))


def _evaluate(planner: Planner) -> Array:
    """Rows (n,) that are evaluated: all of them, or those that have any feature."""
    features = planner.splits[0].features
    everyone = np.ones(len(features), bool)
    only_featured = planner.how.evaluate_only_with_features and features.shape[1]
    return ~np.isnan(features).all(axis=1) if only_featured else everyone


def _evaluation_horizons(planner: Planner, horizons_days: Array) -> Array:
    """Horizons within the follow-up of every split: of its training rows, or of the rows it predicts."""
    kept = horizons_days
    for split in planner.splits:
        kept = supported_horizons(kept, planner.rows.time[split.train if len(split.train) else split.test])
    return kept


def _site_auc(planner: Planner) -> tuple[float, float] | None:
    """How well the features tell the sites apart, before and after ComBat: macro one-versus-rest AUC, first repeat.

    None without ComBat or with one site. ½ = the sites cannot be distinguished.
    """
    sites = sorted(set(planner.rows.sites))
    splits = [split for split in planner.splits if split.repeat == 0 and len(split.train)]
    if not planner.how.combat or len(sites) < 2 or not splits or not splits[0].blocks:
        return None
    block = Block("features", (), tuple(dict.fromkeys(splits[0].blocks)))
    place = np.array([sites.index(site) for site in planner.rows.sites])
    found = []
    for how in (replace(planner.how, combat=False), planner.how):
        probabilities = []
        for split in splits:
            prepared = replace(split).prepared(planner.rows, block, how.n_components[-1] is not None, how, None)
            columns = split.columns(block)
            held = prepared.preprocessor.transform(
                np.empty((len(split.test), 0)), split.features[np.ix_(split.test, columns)],
                planner.rows.sites_of(split.test),
            )  # fmt: skip
            model = LogisticRegression(max_iter=2000).fit(prepared.fit, place[split.train])
            full = np.zeros((len(held), len(sites)))
            full[:, model.classes_] = model.predict_proba(held)
            probabilities.append(full)
        of_all = place[np.concatenate([split.test for split in splits])]
        found.append(float(macro_auc(of_all, np.concatenate(probabilities), np.ones((1, len(of_all))))[0]))
    return found[0], found[1]


def _splits(
    rows: Rows,
    features: FeaturesOfFold | None,
    endpoint: Endpoint,
    folds: Folds,
    inner_folds: int,
    policy: LeakPolicy,
    seed: int,
) -> tuple[list[Split], int | None]:
    """Outer splits in the order of repeats and folds, and how many test patients the encoder was trained on."""
    splits: list[Split] = []
    seen: set[str] = set()
    declared = True
    for repeat in range(folds.repeats):
        tested: list[Array] = []
        for fold in range(folds.n_folds):
            train, test = split_rows(rows, folds, repeat, fold)
            table = None if features is None else features(repeat, fold)
            if table is not None:
                people = {rows.patient_ids[row] for row in test}
                seen |= seen_by_encoder(table, people, f"repeat {repeat} fold {fold}", policy)
                declared &= table.provenance.get("encoder_patients") is not None
            splits.append(make_split(rows, train, test, endpoint, inner_folds, table, (repeat, fold), seed))
            tested.append(test)
        check_partition(tested, len(rows.case_ids), repeat)
    return splits, len(seen) if declared else None
