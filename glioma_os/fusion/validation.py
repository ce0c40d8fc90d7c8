"""Every head on every block of inputs: nested repeated cross-validation, or frozen on one cohort and put to another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from glioma_os.errors import ConfigError
from glioma_os.fusion.ensemble import Fitted, auto, stack
from glioma_os.fusion.folds import FeaturesOfFold, Folds, LeakPolicy, check_partition, seen_by_encoder, split_rows
from glioma_os.fusion.heads.contract import Head
from glioma_os.fusion.heads.cox import Cox
from glioma_os.fusion.heads.logistic import Logistic
from glioma_os.fusion.plan import AGE, Block, Planner, Split, blocks_of, make_split
from glioma_os.fusion.preprocessing import Preparation
from glioma_os.fusion.results import ValidationResult, configuration, majority, truth_of
from glioma_os.fusion.rows import ClinicalSet, Rows
from glioma_os.records import Array, FeatureTable
from glioma_os.survival.classification import macro_auc
from glioma_os.survival.endpoints import Endpoint
from glioma_os.survival.ipcw import supported_horizons

Progress = Callable[[str, int, int], None]
PREPARATION = Preparation()


def nested_validation(
    rows: Rows,
    clinical: ClinicalSet,
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
    """Out-of-fold predictions; majority and age-only (logistic or Cox) always stand beside the heads.

    Cuts, imputation, harmonisation, scaling, PCA and the choice of a setting see the outer training rows only.
    """
    splits, seen = _splits(rows, features, endpoint, folds, inner_folds, leak_policy, seed)
    planner = Planner(rows, splits, endpoint, how, np.asarray(horizons_days, float), _rows_to_judge(splits, how))
    return _judged(planner, clinical, heads, seen, leak_policy, progress)


def _rows_to_judge(splits: Sequence[Split], how: Preparation) -> Array:
    """Rows (n,) that are judged: all of them, or those that have any feature."""
    features = splits[0].features
    everyone = np.ones(len(features), bool)
    return ~np.isnan(features).all(axis=1) if how.judge_featured and features.shape[1] else everyone


def external_validation(
    known: Rows,
    others: Rows,
    clinical: ClinicalSet,
    features: FeatureTable | None,
    heads: Sequence[Head],
    endpoint: Endpoint,
    inner_folds: int = 3,
    how: Preparation = PREPARATION,
    horizons_days: Sequence[float] = (),
    seed: int = 0,
    progress: Progress | None = None,
) -> ValidationResult:
    """Everything learnt on `known`, settings by its inner folds; `others` are predicted once, without a refit.

    `features` holds rows of both. No id may stand on both sides: leave out shared patients first.
    """
    rows = known.and_others(others)
    n = len(known.case_ids)
    train, test = np.arange(n), np.arange(n, len(rows.case_ids))
    split = make_split(rows, train, test, endpoint, inner_folds, features, (0, 0), seed)
    judged = _rows_to_judge([split], how)
    planner = Planner(rows, [split], endpoint, how, np.asarray(horizons_days, float), judged)
    return _judged(planner, clinical, heads, None, "strict", progress)


def _judged(
    planner: Planner,
    clinical: ClinicalSet,
    heads: Sequence[Head],
    seen: int | None,
    policy: LeakPolicy,
    progress: Progress | None,
) -> ValidationResult:
    if len({head.name for head in heads}) != len(heads):
        raise ConfigError("heads", "a name stands twice", "Give each head once")
    reference = Logistic() if planner.endpoint.n_classes else Cox()
    blocks = blocks_of(clinical, tuple(dict.fromkeys(planner.splits[0].blocks)))
    jobs: list[tuple[Head, list[Block]]] = [(reference, [AGE])]
    jobs += [(head, [b for b in blocks if (head.name, b) != (reference.name, AGE)]) for head in heads]
    fitted: list[Fitted] = []
    for place, (head, own_blocks) in enumerate(jobs):
        if progress:
            progress(head.name, place, len(jobs))
        with threadpool_limits(1):  # as in Head.fit_predict: small matrices, where threads wait for each other
            fitted += _fitted(planner, head, own_blocks) if own_blocks else []
    asked = {head.name for head in heads}
    for block in blocks:
        of_block = [own for own in fitted if own.block == block and own.head in asked]
        of_block.sort(key=lambda own: own.head)
        if len(of_block) > 1:
            fitted += [auto(of_block), stack(of_block, planner.splits)]
    truth = truth_of(planner)
    return ValidationResult(
        planner.endpoint,
        truth,
        (majority(planner), *(configuration(planner, own) for own in fitted)),
        float(np.sum(truth.classes < 0) / (truth.repeat.max() + 1)),
        seen,
        policy,
        tuple(split.cuts for split in planner.splits),
        _judged_at(planner),
        _site_auc(planner),
    )


def _site_auc(planner: Planner) -> tuple[float, float] | None:
    """How well the features tell the sites apart, before and after ComBat: macro one-versus-rest AUC, first repeat.

    None without ComBat or with one site. ½ = the sites cannot be told.
    """
    sites = sorted(set(planner.rows.sites))
    splits = [split for split in planner.splits if split.repeat == 0]
    if not planner.how.combat or len(sites) < 2 or not splits[0].blocks:
        return None
    whole = Block("features", None, tuple(dict.fromkeys(splits[0].blocks)))
    most = planner.how.n_components[-1]
    place = np.array([sites.index(site) for site in planner.rows.sites])
    found = []
    for how in (replace(planner.how, combat=False), planner.how):
        chances, truth = [], []
        for split in splits:
            known, held = split.prepared(planner.rows, whole, most, how, None)[:2]
            model = LogisticRegression(max_iter=2000).fit(known, place[split.train])
            full = np.zeros((len(held), len(sites)))
            full[:, model.classes_] = model.predict_proba(held)
            chances.append(full)
            truth.append(place[split.test])
        of_all = np.concatenate(truth)
        found.append(float(macro_auc(of_all, np.concatenate(chances), np.ones((1, len(of_all))))[0]))
    return found[0], found[1]


def _judged_at(planner: Planner) -> Array:
    kept = planner.horizons_days
    for split in planner.splits:
        kept = supported_horizons(kept, planner.rows.time[split.train])
    return kept


def _fitted(planner: Planner, head: Head, blocks: Sequence[Block]) -> list[Fitted]:
    """Search and refit of a head: two calls, whatever the number of folds, repeats, blocks and settings."""
    splits, choice = planner.splits, planner.choose(head, blocks)
    tasks = [
        planner.task(split, block, choice[k, block].candidate) for block in blocks for k, split in enumerate(splits)
    ]
    predictions = head.fit_predict(tasks)
    return [
        Fitted(
            head.name,
            block,
            tuple(choice[k, block] for k in range(len(splits))),
            tuple(predictions[number * len(splits) : (number + 1) * len(splits)]),
            len(planner.candidates(head, block)),
        )
        for number, block in enumerate(blocks)
    ]


def _splits(
    rows: Rows,
    features: FeaturesOfFold | None,
    endpoint: Endpoint,
    folds: Folds,
    inner_folds: int,
    policy: LeakPolicy,
    seed: int,
) -> tuple[list[Split], int | None]:
    """Outer splits in the order of repeats and folds, and how many test patients the encoder knew."""
    splits: list[Split] = []
    seen: set[str] = set()
    told = True
    for repeat in range(folds.repeats):
        tested: list[Array] = []
        for fold in range(folds.n_folds):
            train, test = split_rows(rows, folds, repeat, fold)
            table = None if features is None else features(repeat, fold)
            if table is not None:
                people = {rows.patient_ids[row] for row in test}
                seen |= seen_by_encoder(table, people, f"repeat {repeat} fold {fold}", policy)
                told &= table.provenance.get("encoder_patients") is not None
            splits.append(make_split(rows, train, test, endpoint, inner_folds, table, (repeat, fold), seed))
            tested.append(test)
        check_partition(tested, len(rows.case_ids), repeat)
    return splits, len(seen) if told else None
