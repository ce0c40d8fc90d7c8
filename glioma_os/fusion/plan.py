"""Outer splits with their inner folds, and the tasks that heads fit on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from glioma_os.fusion.folds import Folds, grouped_folds, split_rows
from glioma_os.fusion.heads.contract import Head, Prediction, Setting, Task
from glioma_os.fusion.preprocessing import FoldPreprocessor
from glioma_os.fusion.rows import ClinicalSet, Rows
from glioma_os.records import Array
from glioma_os.survival.bootstrap import METRICS, Sample
from glioma_os.survival.endpoints import Endpoint, classes


class Block(NamedTuple):
    """Which inputs a configuration sees."""

    name: str
    clinical: ClinicalSet | None
    features: bool


AGE = Block("age", "age", False)


def blocks_of(clinical: ClinicalSet, has_features: bool) -> list[Block]:
    """Clinical alone, features alone, both. Age alone is the clinical block where nothing else is known."""
    alone = Block("age" if clinical == "age" else "clinical", clinical, False)
    return [alone, Block("features", None, True), Block("fused", clinical, True)] if has_features else [alone]


class Candidate(NamedTuple):
    """One point of the search: the head's setting and the number of components (None: no reduction)."""

    setting: Setting
    n_components: int | None


@dataclass(frozen=True)
class Split:
    """One outer fold. `cuts` come from its training rows; `classes` (all rows) are under those cuts.

    `inner` holds (fit, check) row indices within the training rows; `features` (all rows, f), f = 0 without any.
    """

    repeat: int
    fold: int
    train: Array
    test: Array
    cuts: Array
    classes: Array
    inner: list[tuple[Array, Array]]
    features: Array
    seed: int
    _inputs: dict[tuple[Block, int | None, int], tuple[Array, Array]] = field(
        default_factory=dict, init=False, repr=False
    )

    def inputs(
        self, rows: Rows, block: Block, n_components: int | None, age_in_pca: bool, inner: int | None
    ) -> tuple[Array, Array]:
        """Preprocessed (fit rows, predicted rows), learnt on the fit rows alone and kept for the next head."""
        key = (block, n_components, -1 if inner is None else inner)
        if key not in self._inputs:
            fit, held = (self.train, self.test) if inner is None else self.inner[inner]
            clinical = rows.columns(block.clinical) if block.clinical else np.empty((len(rows.time), 0))
            features = self.features if block.features else self.features[:, :0]
            with threadpool_limits(1):  # as in Head.fit_predict
                preprocessor = FoldPreprocessor(n_components, age_in_pca).fit(clinical[fit], features[fit])
                self._inputs[key] = (
                    preprocessor.transform(clinical[fit], features[fit]),
                    preprocessor.transform(clinical[held], features[held]),
                )
        return self._inputs[key]


def make_split(
    rows: Rows, folds: Folds, repeat: int, fold: int, endpoint: Endpoint, inner_folds: int, features: Array, seed: int
) -> Split:
    """Cuts, classes and inner folds of one outer fold, from its training rows."""
    train, test = split_rows(rows, folds, repeat, fold)
    cuts = endpoint.fit_cuts(rows.time[train], rows.event[train])
    of_rows = classes(rows.time, rows.event, cuts)
    late = rows.time > np.median(rows.time[train])
    strata = of_rows if endpoint.n_classes else 2 * rows.event + late
    own_seed = int(np.random.SeedSequence([seed, repeat, fold]).generate_state(1)[0] >> 1)
    number = grouped_folds([rows.patient_ids[row] for row in train], strata[train], inner_folds, own_seed)
    inner = [(train[number != k], train[number == k]) for k in range(inner_folds)]
    return Split(repeat, fold, train, test, cuts, of_rows, inner, features, own_seed)


@dataclass(frozen=True)
class Planner:
    """Makes the tasks of every head from the same splits and the same preprocessed inputs."""

    rows: Rows
    splits: Sequence[Split]
    endpoint: Endpoint
    n_components: Sequence[int | None]
    age_in_pca: bool

    def candidates(self, head: Head, block: Block) -> list[Candidate]:
        """The search space of a head on a block."""
        reductions = self.n_components if block.features else [None]
        return [Candidate(setting, reduction) for reduction in reductions for setting in head.settings()]

    def task(self, split: Split, block: Block, candidate: Candidate, inner: int | None = None) -> Task:
        """The refit of an outer fold, or one inner fit."""
        fit = split.train if inner is None else split.inner[inner][0]
        known, held = split.inputs(self.rows, block, candidate.n_components, self.age_in_pca, inner)
        return Task(
            known,
            self.rows.time[fit],
            self.rows.event[fit],
            split.classes[fit],
            held,
            candidate.setting,
            (split.seed + (0 if inner is None else inner + 1)) % 2**31,
            self.endpoint.n_classes,
            split.cuts,
        )

    def choose(self, head: Head, blocks: Sequence[Block]) -> dict[tuple[int, Block], Candidate]:
        """The candidate with the best mean inner AUC or C, for every split and block, by one call of the head."""
        searches = [
            (place, block, candidate, inner)
            for place, split in enumerate(self.splits)
            for block in blocks
            if len(self.candidates(head, block)) > 1
            for candidate in self.candidates(head, block)
            for inner in range(len(split.inner))
        ]
        tasks = [self.task(self.splits[place], block, candidate, inner) for place, block, candidate, inner in searches]
        scores: dict[tuple[int, Block], list[float]] = {}
        for (place, block, _, inner), prediction in zip(searches, head.fit_predict(tasks), strict=True):
            scores.setdefault((place, block), []).append(self._inner_score(self.splits[place], inner, prediction))
        return {
            (place, block): self._best(self.candidates(head, block), scores.get((place, block)))
            for place in range(len(self.splits))
            for block in blocks
        }

    def _inner_score(self, split: Split, inner: int, prediction: Prediction) -> float:
        held = split.inner[inner][1]
        sample = Sample(
            self.rows.time[held], self.rows.event[held], prediction.risk, split.classes[held], prediction.probabilities
        )
        metric = METRICS["auc" if self.endpoint.n_classes else "c_index"]
        return float(metric(sample, np.ones((1, len(held))))[0])

    @staticmethod
    def _best(candidates: list[Candidate], scores: list[float] | None) -> Candidate:
        """Inner folds without both classes say nothing; where none says anything the first candidate is taken."""
        if scores is None:
            return candidates[0]
        table = np.array(scores).reshape(len(candidates), -1)
        told = ~np.isnan(table).all(axis=0)
        return candidates[int(np.argmax(table[:, told].mean(axis=1)))] if told.any() else candidates[0]
