"""From splits to fitted pipelines: search inside, refit, ensemble. One call of each head, whatever the splits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import norm
from threadpoolctl import threadpool_limits

from glioma_os.errors import ConfigError
from glioma_os.fusion.heads.contract import Head
from glioma_os.fusion.heads.cox import Cox
from glioma_os.fusion.heads.logistic import Logistic
from glioma_os.fusion.pipeline import (
    AgeRow,
    EnsembleRow,
    FittedRow,
    HeadRow,
    Inputs,
    MajorityRow,
    Pipeline,
    SelectedRow,
    empirical_cdf,
)
from glioma_os.fusion.plan import AGE, Block, Choice, Planner, Split, blocks_of, clinical_block
from glioma_os.fusion.preprocessing import check_combat
from glioma_os.records import Array
from glioma_os.survival.bootstrap import METRICS, Sample, bootstrap_weights
from glioma_os.survival.curves import CurveCalibration, kaplan_meier

Progress = Callable[[str, int, int], None]
ENSEMBLE, SELECTED, MAJORITY = "ensemble", "selected", "majority"
NOTHING = Block("none", ())
REPLICATES = 100  # of the inner comparison


def develop(
    planner: Planner, variables: tuple[str, ...], heads: Sequence[Head], progress: Progress | None = None
) -> list[Pipeline]:
    """One pipeline a split: majority and age alone first, then every head on every block, `selected` and `ensemble`."""
    if len({head.name for head in heads}) != len(heads):
        raise ConfigError("heads", "a name found twice → each head once expected", "Remove the duplicate")
    if planner.how.combat and planner.splits[0].blocks:
        check_combat(planner.rows, variables)
    reference = Logistic() if planner.endpoint.n_classes else Cox()
    blocks = blocks_of(variables, tuple(dict.fromkeys(planner.splits[0].blocks)))
    jobs: list[tuple[Head, list[Block]]] = [(reference, [AGE])]
    jobs += [(head, [b for b in blocks if (head.name, b) != (reference.name, AGE)]) for head in heads]
    fitted: list[list[HeadRow]] = [[] for _ in planner.splits]
    for place, (head, own_blocks) in enumerate(jobs):
        if progress:
            progress(head.name, place, len(jobs))
        with threadpool_limits(1):  # as in Head.fit: small matrices, where threads wait for each other
            for rows, found in zip(fitted, _fit(planner, head, own_blocks) if own_blocks else [], strict=False):
                rows += found
    asked = {head.name for head in heads}
    pipelines = []
    for split, rows in zip(planner.splits, fitted, strict=True):
        rows[0] = _age_row(planner, split, rows[0])
        combined = [row for block in blocks for row in _combine(planner, split, rows, block, variables, asked)]
        everything = (_majority(planner, split), *rows, *combined)
        pipelines.append(Pipeline(planner.endpoint, split.cuts, everything))
    return pipelines


def _fit(planner: Planner, head: Head, blocks: Sequence[Block]) -> list[list[HeadRow]]:
    """Search and refit of a head: for each split, its rows in the order of the blocks."""
    splits, choice = planner.splits, planner.choose(head, blocks)
    places = [(k, block) for k in range(len(splits)) for block in blocks]
    models = head.fit([planner.task(splits[k], block, choice[k, block].candidate) for k, block in places])
    rows: list[list[HeadRow]] = [[] for _ in splits]
    for (k, block), model in zip(places, models, strict=True):
        own = choice[k, block]
        inputs = _inputs(planner, splits[k], block, own)
        curves = _calibration(planner, splits[k], own.risk)
        rows[k].append(HeadRow(head.name, block, own.candidate, inputs, model, own.risk, curves, own.score, head.title))
    return rows


def _inputs(planner: Planner, split: Split, block: Block, choice: Choice) -> Inputs:
    number = choice.candidate.n_components
    prepared = split.prepared(planner.rows, block, number is not None, planner.how, None)
    return Inputs(block, split.columns(block), prepared.preprocessor, prepared.kept(number))


def _calibration(planner: Planner, split: Split, risk: Array) -> CurveCalibration:
    return CurveCalibration.fit(risk, planner.rows.time[split.train], planner.rows.event[split.train])


def _age_row(planner: Planner, split: Split, row: HeadRow) -> AgeRow:
    """The reference head on age, ranked by age itself."""
    age = planner.rows.columns(("age",))[split.train, 0]
    median = float(np.nanmedian(age)) if not np.isnan(age).all() else 0.0
    known = np.where(np.isnan(age), median, age)
    calibration = _calibration(planner, split, known)
    return AgeRow(
        row.head, row.block, row.candidate, row.inputs, row.model, known, calibration, row.inner_score, row.title,
        median,
    )  # fmt: skip


def _majority(planner: Planner, split: Split) -> MajorityRow:
    shares = None
    if planner.endpoint.n_classes:
        known = split.train[split.classes[split.train] >= 0]
        counts = np.bincount(split.classes[known], split.weights[known], planner.endpoint.n_classes)
        shares = counts / counts.sum()
    curve = kaplan_meier(planner.rows.time[split.train], planner.rows.event[split.train])
    return MajorityRow(MAJORITY, NOTHING, shares, curve, np.zeros(len(split.train)))


def _combine(
    planner: Planner, split: Split, rows: Sequence[HeadRow], block: Block, variables: tuple[str, ...],
    asked: set[str],
) -> list[FittedRow]:  # fmt: skip
    """`selected` and `ensemble` of a block: where it fuses features with clinical variables, both may fall back on the
    clinical variables alone; elsewhere they need two heads."""
    own = sorted((row for row in rows if row.block == block and row.head in asked), key=lambda row: row.head)
    if not own:
        return []
    without: list[HeadRow] = []
    if block.features and block.clinical:
        base = clinical_block(variables)
        without = [rows[0]] if base == AGE else [row for row in rows if row.block == base and row.head in asked]
    if not without and len(own) < 2:
        return []
    weight = _feature_weight(planner, split, own, without) if without else 1.0
    return [_select(block, [*without, *own]), _ensemble(planner, split, block, own, without, weight)]


def _select(block: Block, rows: Sequence[HeadRow]) -> SelectedRow:
    """The first with the best inner score: rows without features come first, so that a tie leaves features out."""
    best = max(rows, key=lambda row: row.inner_score)
    return SelectedRow(SELECTED, block, best, empirical_cdf(best.training_risk, best.training_risk))


def _mean_on_common_scale(rows: Sequence[HeadRow]) -> Array:
    return np.mean([row.common_scale(row.training_risk) for row in rows], axis=0)


def _feature_weight(
    planner: Planner, split: Split, with_features: Sequence[HeadRow], without: Sequence[HeadRow]
) -> float:
    """Probability that the rows with features rank better, by the inner folds: Φ(z), z the difference of their AUC or C
    to that of the rows without, over its bootstrap standard error. ½ where both scores are equal."""
    difference = np.diff(
        [_inner_ranking(planner, split, _mean_on_common_scale(rows)) for rows in (without, with_features)], axis=0
    )
    spread = float(np.nanstd(difference[0, 1:]))
    if not np.isfinite(difference[0, 0]) or not spread > 0:
        return 0.0
    return float(norm.cdf(difference[0, 0] / spread))


def _inner_ranking(planner: Planner, split: Split, risk: Array) -> Array:
    """AUC or C (1 + B,) of out-of-fold risks of the training rows, within inner folds, and its patient bootstrap."""
    fold = np.empty(len(planner.rows.time), int)
    for number, (_, held) in enumerate(split.inner):
        fold[held] = number
    place, rows = split.train, planner.rows
    patients, of_row = np.unique(np.asarray(rows.patient_ids)[place], return_inverse=True)
    drawn = np.vstack([np.ones((1, len(patients))), bootstrap_weights(len(patients), REPLICATES, 0)])[:, of_row]
    probabilities = None
    if planner.endpoint.n_classes:
        drawn = drawn * split.weights[place]
        probabilities = np.tile(risk[:, None], (1, 2))  # two columns: ranked by the risk, whatever the classes
    shorter = np.minimum(split.classes[place], 1)  # shortest class against the others
    sample = Sample(rows.time[place], rows.event[place], risk, shorter, probabilities, strata=fold[place])
    return METRICS["auc" if planner.endpoint.n_classes else "c_index"](sample, drawn)


def _ensemble(
    planner: Planner, split: Split, block: Block, own: Sequence[HeadRow], without: Sequence[HeadRow], weight: float
) -> EnsembleRow:
    risk = weight * _mean_on_common_scale(own)
    if without and weight < 1:
        risk = risk + (1 - weight) * _mean_on_common_scale(without)
    calibration = _calibration(planner, split, risk)
    return EnsembleRow(ENSEMBLE, block, tuple(own), tuple(without), weight, risk, calibration)
