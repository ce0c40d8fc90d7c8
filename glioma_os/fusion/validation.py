"""Nested, repeated, patient-grouped cross-validation of every head on every block of inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from glioma_os.errors import ConfigError
from glioma_os.fusion.folds import FeaturesOfFold, Folds, LeakPolicy, check_partition, seen_by_encoder
from glioma_os.fusion.heads.contract import Head, Prediction
from glioma_os.fusion.heads.cox import Cox
from glioma_os.fusion.heads.logistic import Logistic
from glioma_os.fusion.plan import AGE, Block, Candidate, Planner, Split, blocks_of, make_split
from glioma_os.fusion.rows import ClinicalSet, Rows
from glioma_os.records import Array, RiskTable
from glioma_os.survival.endpoints import Endpoint

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Configuration:
    """A head on a block of inputs, with its out-of-fold predictions.

    `chosen` is the candidate of each outer fold, `settings_tried` how many there were, `patients_per_parameter` the
    training patients per input column in the scarcest fold (inf where nothing is fitted).
    """

    head: str
    block: str
    table: RiskTable
    chosen: tuple[Candidate, ...] = ()
    settings_tried: int = 1
    patients_per_parameter: float = float("inf")


@dataclass(frozen=True)
class Truth:
    """What happened, in the row order of every RiskTable of a result: repeat by repeat, cases as in the cohort.

    `classes` −1 = undetermined: predicted, but left out of class metrics.
    """

    case_ids: tuple[str, ...]
    patient_ids: tuple[str, ...]
    repeat: Array
    fold: Array
    time: Array
    event: Array
    classes: Array


@dataclass(frozen=True)
class ValidationResult:
    """Out-of-fold predictions of every configuration (majority and age-only first), and what they are judged by.

    `undetermined`: rows without a class, mean over repeats; `seen_by_encoder`: test patients that the encoder was
    trained on, None where the features do not say.
    """

    endpoint: Endpoint
    truth: Truth
    configurations: tuple[Configuration, ...]
    undetermined: float
    seen_by_encoder: int | None
    leak_policy: LeakPolicy

    @property
    def age(self) -> Configuration:
        """The age-only row that every other is compared with."""
        return self.configurations[1]

    @property
    def settings_tried(self) -> int:
        """All candidates of all configurations: the reader's measure of the winner's curse."""
        return sum(configuration.settings_tried for configuration in self.configurations)


def nested_validation(
    rows: Rows,
    clinical: ClinicalSet,
    features: FeaturesOfFold | None,
    heads: Sequence[Head],
    endpoint: Endpoint,
    folds: Folds,
    inner_folds: int = 3,
    n_components: Sequence[int | None] = (5, 10),
    age_in_pca: bool = False,
    leak_policy: LeakPolicy = "strict",
    seed: int = 0,
    progress: Progress | None = None,
) -> ValidationResult:
    """Every head on every block; majority and age-only (logistic or Cox) always stand beside them.

    Cuts, imputation, scaling, PCA and the choice of a setting see the outer training rows only.
    """
    if len({head.name for head in heads}) != len(heads):
        raise ConfigError("heads", "a name stands twice", "Give each head once")
    splits, seen = _splits(rows, features, endpoint, folds, inner_folds, leak_policy, seed)
    planner = Planner(rows, splits, endpoint, n_components, age_in_pca)
    reference = Logistic() if endpoint.n_classes else Cox()
    blocks = blocks_of(clinical, features is not None)
    jobs: list[tuple[Head, list[Block]]] = [(reference, [AGE])]
    jobs += [(head, [b for b in blocks if (head.name, b) != (reference.name, AGE)]) for head in heads]

    majority = [_majority(split, endpoint.n_classes) for split in splits]
    configurations = [Configuration("majority", "none", _table(rows, splits, majority))]
    for place, (head, own_blocks) in enumerate(jobs):
        if progress:
            progress(head.name, place, len(jobs))
        configurations += _configurations(planner, head, own_blocks)
    truth = _truth(rows, splits)
    undetermined = float(np.sum(truth.classes < 0) / folds.repeats)
    return ValidationResult(endpoint, truth, tuple(configurations), undetermined, seen, leak_policy)


def _configurations(planner: Planner, head: Head, blocks: Sequence[Block]) -> list[Configuration]:
    """Search and refit of a head: two calls, whatever the number of folds, repeats, blocks and settings."""
    splits, choice = planner.splits, planner.choose(head, blocks)
    tasks = [planner.task(split, block, choice[k, block]) for block in blocks for k, split in enumerate(splits)]
    predictions = head.fit_predict(tasks)
    found = []
    for number, block in enumerate(blocks):
        own = slice(number * len(splits), (number + 1) * len(splits))
        found.append(
            Configuration(
                head.name,
                block.name,
                _table(planner.rows, splits, predictions[own]),
                tuple(choice[k, block] for k in range(len(splits))),
                len(planner.candidates(head, block)),
                _patients_per_parameter(planner.rows, splits, [task.inputs.shape[1] for task in tasks[own]]),
            )
        )
    return found


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
    splits, seen, told = [], set(), True
    for repeat in range(folds.repeats):
        for fold in range(folds.n_folds):
            values = np.empty((len(rows.case_ids), 0))
            if features is not None:
                table = features(repeat, fold)
                tested = set(folds.test(repeat, fold)) & set(rows.patient_ids)
                seen |= seen_by_encoder(table, tested, f"repeat {repeat} fold {fold}", policy)
                told &= "encoder_patients" in table.provenance
                values = table.rows(list(rows.case_ids))
            splits.append(make_split(rows, folds, repeat, fold, endpoint, inner_folds, values, seed))
        check_partition([split.test for split in splits[-folds.n_folds :]], len(rows.case_ids), repeat)
    return splits, len(seen) if told else None


def _majority(split: Split, n_classes: int) -> Prediction:
    """The training rows' class shares for everyone; risk 0 ranks nobody."""
    risk = np.zeros(len(split.test))
    if not n_classes:
        return Prediction(risk)
    known = split.classes[split.train]
    shares = np.bincount(known[known >= 0], minlength=n_classes) / np.sum(known >= 0)
    return Prediction(risk, np.tile(shares, (len(risk), 1)))


def _cohort_order(splits: Sequence[Split]) -> Array:
    """Places of the concatenated test rows sorted by repeat, then by row of the cohort."""
    row = np.concatenate([split.test for split in splits])
    repeat = np.concatenate([np.full(len(split.test), split.repeat) for split in splits])
    return np.lexsort((row, repeat))


def _table(rows: Rows, splits: Sequence[Split], predictions: Sequence[Prediction]) -> RiskTable:
    order = _cohort_order(splits)
    row = np.concatenate([split.test for split in splits])[order]
    fold, repeat = (
        np.concatenate([np.full(len(split.test), number) for split, number in zip(splits, numbers, strict=True)])[order]
        for numbers in ([split.fold for split in splits], [split.repeat for split in splits])
    )
    classwise = [prediction.probabilities for prediction in predictions if prediction.probabilities is not None]
    return RiskTable(
        tuple(rows.case_ids[i] for i in row),
        fold,
        repeat,
        np.concatenate([prediction.risk for prediction in predictions])[order],
        np.concatenate(classwise)[order] if classwise else None,
    )


def _truth(rows: Rows, splits: Sequence[Split]) -> Truth:
    table = _table(rows, splits, [Prediction(split.classes[split.test]) for split in splits])
    row = np.tile(np.arange(len(rows.case_ids)), int(table.repeat.max()) + 1)
    patients = tuple(rows.patient_ids[i] for i in row)
    return Truth(table.case_ids, patients, table.repeat, table.fold, rows.time[row], rows.event[row], table.risk)


def _patients_per_parameter(rows: Rows, splits: Sequence[Split], widths: Sequence[int]) -> float:
    """Training patients per input column of the head, the scarcest outer fold."""
    patients = np.asarray(rows.patient_ids)
    return min(len(np.unique(patients[s.train])) / max(width, 1) for s, width in zip(splits, widths, strict=True))
