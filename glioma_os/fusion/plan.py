"""Outer splits with their inner folds, and the tasks that heads fit on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from glioma_os.errors import ConfigError
from glioma_os.fusion.folds import grouped_folds
from glioma_os.fusion.harmonization import Combat
from glioma_os.fusion.heads.contract import Head, Prediction, Setting, Task
from glioma_os.fusion.preprocessing import FoldPreprocessor, Preparation
from glioma_os.fusion.rows import Rows
from glioma_os.records import Array, FeatureTable
from glioma_os.survival.bootstrap import METRICS, Sample
from glioma_os.survival.endpoints import Endpoint, class_weights, classes


class Block(NamedTuple):
    """Which inputs a configuration uses: clinical variables by name, and feature columns of these blocks."""

    name: str
    clinical: tuple[str, ...]
    features: tuple[str, ...] = ()


AGE = Block("age", ("age",))


def clinical_block(variables: tuple[str, ...]) -> Block:
    """The clinical variables alone: what fused inputs are compared with."""
    return AGE if variables == AGE.clinical else Block("clinical", variables)


def blocks_of(variables: tuple[str, ...], feature_blocks: Sequence[str]) -> list[Block]:
    """Age; the clinical variables, where more is asked for; each block of features alone; everything fused."""
    found = list(dict.fromkeys([AGE, clinical_block(variables)]))
    found += [Block(name, (), (name,)) for name in feature_blocks]
    return found + ([Block("fused", variables, tuple(feature_blocks))] if feature_blocks else [])


class Candidate(NamedTuple):
    """One point of the search: the head's setting and the number of components (None: no reduction)."""

    setting: Setting
    n_components: int | None


class Choice(NamedTuple):
    """The best candidate of a search: its mean inner score, and the risks (training rows,) from the inner folds."""

    candidate: Candidate
    score: float
    risk: Array


class Prepared(NamedTuple):
    """Inputs of the fit rows and of the held rows, what made them, and how many of the last columns are components."""

    fit: Array
    held: Array
    preprocessor: FoldPreprocessor

    def kept(self, n_components: int | None) -> int:
        """How many columns remain with so many components: they come in falling order of variance."""
        components = self.preprocessor.components
        return self.fit.shape[1] - components + min(components if n_components is None else n_components, components)


@dataclass(frozen=True)
class Split:
    """One outer fold. `cuts` come from its training rows; `classes` and `weights` (all rows) are under those cuts.

    `inner` holds (fit, check) row indices within the training rows; `features` (all rows, f), f = 0 without any, and
    `blocks` the block of each column.
    """

    repeat: int
    fold: int
    train: Array
    test: Array
    cuts: Array
    classes: Array
    weights: Array
    inner: list[tuple[Array, Array]]
    features: Array
    blocks: tuple[str, ...]
    seed: int
    _prepared: dict[tuple[Block, bool, int], Prepared] = field(default_factory=dict, init=False, repr=False)

    def columns(self, block: Block) -> Array:
        """Places of the feature columns that a block uses."""
        return np.flatnonzero([own in block.features for own in self.blocks])

    def prepared(self, rows: Rows, block: Block, reduced: bool, how: Preparation, inner: int | None) -> Prepared:
        """Inputs fitted to the training rows alone, kept for the next head: of an inner fold, or (None) of all training
        rows, where nothing is held. `reduced`: with the most components that the search knows."""
        key = (block, reduced, -1 if inner is None else inner)
        if key not in self._prepared:
            fit, held = (self.train, self.train[:0]) if inner is None else self.inner[inner]
            most = max((n for n in how.n_components if n is not None), default=0)
            combat = Combat(how.combat_reference) if how.combat else None
            preprocessor = FoldPreprocessor(
                most if reduced else None, how.age_in_pca, how.scaling, combat, how.whitening
            )
            clinical, features = rows.columns(block.clinical), self.features[:, self.columns(block)]
            preprocessor.fit(clinical[fit], features[fit], rows.sites_of(fit))
            known, other = (
                preprocessor.transform(clinical[part], features[part], rows.sites_of(part)) for part in (fit, held)
            )
            self._prepared[key] = Prepared(known, other, preprocessor)
        return self._prepared[key]


def make_split(
    rows: Rows, train: Array, test: Array, endpoint: Endpoint, inner_folds: int, table: FeatureTable | None,
    number: tuple[int, int], seed: int,
) -> Split:  # fmt: skip
    """Cuts, classes, weights and inner folds of one outer fold, from its training rows. `number`: repeat and fold."""
    cuts = endpoint.fit_cuts(rows.time[train], rows.event[train])
    of_rows = classes(rows.time, rows.event, cuts)
    weights = np.ones(len(rows.time))
    if endpoint.n_classes and endpoint.censored == "ipcw":
        weights = class_weights(rows.time, rows.event, cuts, train)
    late = rows.time > np.median(rows.time[train])
    strata = of_rows if endpoint.n_classes else 2 * rows.event + late
    own_seed = int(np.random.SeedSequence([seed, *number]).generate_state(1)[0] >> 1)
    fold = grouped_folds([rows.patient_ids[row] for row in train], strata[train], inner_folds, own_seed)
    inner = [(train[fold != k], train[fold == k]) for k in range(inner_folds)]
    values = np.empty((len(rows.time), 0)) if table is None else table.rows(list(rows.case_ids))
    blocks = () if table is None else table.blocks
    return Split(*number, train, test, cuts, of_rows, weights, inner, values, blocks, own_seed)


@dataclass(frozen=True)
class Planner:
    """Makes the tasks of every head from the same splits and the same prepared inputs."""

    rows: Rows
    splits: Sequence[Split]
    endpoint: Endpoint
    how: Preparation

    def candidates(self, head: Head, block: Block) -> list[Candidate]:
        """The search space of a head on a block; an empty one is a ConfigError."""
        if not head.settings():
            raise ConfigError(
                f"head {head.name}", "no hyperparameter setting found → one or more expected", "Give each list a value"
            )
        reductions = self.how.n_components if block.features else (None,)
        return [Candidate(setting, reduction) for reduction in reductions for setting in head.settings()]

    def task(self, split: Split, block: Block, candidate: Candidate, inner: int | None = None) -> Task:
        """The refit of an outer fold (nothing to predict), or one inner fit with its held rows."""
        fit = split.train if inner is None else split.inner[inner][0]
        prepared = split.prepared(self.rows, block, candidate.n_components is not None, self.how, inner)
        kept = prepared.kept(candidate.n_components)
        return Task(
            prepared.fit[:, :kept],
            self.rows.time[fit],
            self.rows.event[fit],
            split.classes[fit],
            prepared.held[:, :kept],
            candidate.setting,
            (split.seed + (0 if inner is None else inner + 1)) % 2**31,
            self.endpoint.n_classes,
            split.cuts,
            split.weights[fit],
            n_spared=int(block.clinical[:1] == AGE.clinical and not self.how.age_in_pca),  # age comes first
        )

    def choose(self, head: Head, blocks: Sequence[Block]) -> dict[tuple[int, Block], Choice]:
        """The candidate with the best mean inner AUC or C, for every split and block, by one call of the head."""
        searches = [
            (place, block, candidate, inner)
            for place, split in enumerate(self.splits)
            for block in blocks
            for candidate in self.candidates(head, block)
            for inner in range(len(split.inner))
        ]
        tasks = [self.task(self.splits[place], block, candidate, inner) for place, block, candidate, inner in searches]
        found: dict[tuple[int, Block], list[Prediction]] = {}
        for (place, block, _, _), prediction in zip(searches, head.fit_predict(tasks), strict=True):
            found.setdefault((place, block), []).append(prediction)
        return {
            (place, block): self._best(self.splits[place], self.candidates(head, block), predictions)
            for (place, block), predictions in found.items()
        }

    def _inner_score(self, split: Split, inner: int, prediction: Prediction) -> float:
        held = split.inner[inner][1]
        sample = Sample(
            self.rows.time[held], self.rows.event[held], prediction.risk, split.classes[held], prediction.probabilities
        )
        metric = METRICS["auc" if self.endpoint.n_classes else "c_index"]
        weights = split.weights[held] if self.endpoint.n_classes else np.ones(len(held))
        return float(metric(sample, weights[None])[0])

    def _best(self, split: Split, candidates: list[Candidate], predictions: list[Prediction]) -> Choice:
        """`predictions`: candidate by candidate, inner fold by inner fold.

        Inner folds without both classes say nothing; where none says anything the first candidate is taken.
        """
        folds = range(len(split.inner))
        table = np.array([self._inner_score(split, k % len(folds), p) for k, p in enumerate(predictions)])
        table = table.reshape(len(candidates), -1)
        defined = ~np.isnan(table).all(axis=0)
        means = table[:, defined].mean(axis=1) if defined.any() else np.full(len(candidates), 0.5)
        best = int(np.argmax(means))
        place = np.argsort(np.concatenate([held for _, held in split.inner]), kind="stable")
        risk = np.concatenate([predictions[best * len(folds) + k].risk for k in folds])[place]
        order = np.argsort(np.argsort(split.train, kind="stable"), kind="stable")
        return Choice(candidates[best], float(means[best]), risk[order])
