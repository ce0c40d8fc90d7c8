"""How the leading row's predictions change when its training patients are drawn again (Riley & Collins 2023)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from glioma_os.fusion.contrasts import leading_row
from glioma_os.fusion.develop import develop
from glioma_os.fusion.folds import FeaturesOfFold, Folds, split_rows
from glioma_os.fusion.heads.contract import Head, Prediction
from glioma_os.fusion.pipeline import NewRows
from glioma_os.fusion.plan import Planner, make_split
from glioma_os.fusion.preprocessing import Preparation
from glioma_os.fusion.rows import Rows
from glioma_os.records import Array
from glioma_os.survival.endpoints import Endpoint


class Refits(NamedTuple):
    """Probability of the shortest class, or of death by `horizon_days`: `original` (n,), `bootstrap` (B, n)."""

    original: Array
    bootstrap: Array
    horizon_days: float | None


def bootstrap_refits(
    rows: Rows,
    variables: tuple[str, ...],
    features: FeaturesOfFold | None,
    heads: Sequence[Head],
    endpoint: Endpoint,
    folds: Folds,
    inner_folds: int,
    how: Preparation,
    horizon_days: float | None,
    replicates: int,
    seed: int,
) -> Refits:
    """Every outer fold of the first repeat is developed again, search included, on bootstrap samples of its training
    patients; its test patients stay, so that features of fold-specific encoders may be used."""
    rng = np.random.default_rng([seed, 1])
    original, *bootstrap = (
        _predict_fold(rows, variables, features, heads, endpoint, folds, inner_folds, how, horizon_days, seed, draw)
        for draw in (None, *([rng] * replicates))
    )
    return Refits(original, np.array(bootstrap), horizon_days)


def _predict_fold(
    rows: Rows, variables: tuple[str, ...], features: FeaturesOfFold | None, heads: Sequence[Head], endpoint: Endpoint,
    folds: Folds, inner_folds: int, how: Preparation, horizon_days: float | None, seed: int,
    draw: np.random.Generator | None,
) -> Array:  # fmt: skip
    splits = []
    for fold in range(folds.n_folds):
        train, test = split_rows(rows, folds, 0, fold)
        table = None if features is None else features(0, fold)
        used = train if draw is None else _resample(rows, train, draw)
        splits.append(make_split(rows, used, test, endpoint, inner_folds, table, (0, fold), seed))
    out = np.full(len(rows.case_ids), np.nan)
    days = np.array([] if horizon_days is None else [horizon_days])
    for pipeline, split in zip(develop(Planner(rows, splits, endpoint, how), variables, heads), splits, strict=True):
        keys = [(row.head, row.block.name) for row in pipeline.rows]
        new = NewRows(rows.clinical[split.test], split.features[split.test], tuple(rows.sites_of(split.test)))
        out[split.test] = _probability(pipeline.rows[keys.index(leading_row(keys))].predict(new, days))
    return out


def _probability(found: Prediction) -> Array:
    if found.probabilities is not None:
        return found.probabilities[:, 0]
    return np.full(len(found.risk), np.nan) if found.curves is None else 1 - found.curves[:, 0]


def _resample(rows: Rows, train: Array, draw: np.random.Generator) -> Array:
    """Rows of as many training patients, drawn with replacement; a patient's sessions stay together."""
    patients = np.asarray(rows.patient_ids)[train]
    names = np.unique(patients)
    return np.concatenate([train[patients == name] for name in draw.choice(names, len(names))])
