"""What a validation leaves: predictions of every configuration for rows it was not fitted on, and their outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from glioma_os.fusion.develop import ENSEMBLE, SELECTED
from glioma_os.fusion.folds import LeakPolicy
from glioma_os.fusion.heads.contract import Prediction
from glioma_os.fusion.pipeline import EnsembleRow, FittedRow, HeadRow, Pipeline, SelectedRow
from glioma_os.fusion.plan import Candidate, Planner
from glioma_os.records import Array, RiskTable
from glioma_os.survival.endpoints import Endpoint


@dataclass(frozen=True)
class Configuration:
    """A head on a block of inputs, with its predictions.

    `chosen` is the candidate of each split, `settings_tried` how many there were, `columns` the most candidate input
    columns of any split, `patients_per_parameter` the training patients per column in the scarcest split (inf where
    nothing is fitted), `feature_weights` the ensemble's weight of the features in each split, empty for other rows;
    `title` the head's display name.
    """

    head: str
    block: str
    table: RiskTable
    chosen: tuple[Candidate, ...] = ()
    settings_tried: int = 1
    columns: int = 0
    patients_per_parameter: float = float("inf")
    feature_weights: tuple[float, ...] = ()
    title: str = ""


@dataclass(frozen=True)
class Truth:
    """Outcomes, in the row order of every RiskTable of a result: repeat by repeat, cases as in the cohort.

    `classes` −1 = not evaluable (censored before the cut): predicted, but left out of class metrics; `weights` of the
    classes (1 unless IPCW).
    """

    case_ids: tuple[str, ...]
    patient_ids: tuple[str, ...]
    repeat: Array
    fold: Array
    time: Array
    event: Array
    classes: Array
    weights: Array


@dataclass(frozen=True)
class ValidationResult:
    """Predictions of every configuration (majority and age-only first), and what they are evaluated against.

    `undetermined`: rows without an evaluable class, mean over repeats; `seen_by_encoder`: test patients that the
    encoder was trained on, None where the features do not say; `cuts` of every split, in days; `horizons_days` those
    at which every split's training rows support an evaluation of curves; `site_auc` how well features tell the sites
    before and after ComBat, None without it; `pipelines`: the fitted ones, split by split.
    """

    endpoint: Endpoint
    truth: Truth
    configurations: tuple[Configuration, ...]
    undetermined: float
    seen_by_encoder: int | None
    leak_policy: LeakPolicy
    cuts: tuple[Array, ...] = ()
    horizons_days: Array = field(default_factory=lambda: np.empty(0))
    site_auc: tuple[float, float] | None = None
    pipelines: tuple[Pipeline, ...] = ()

    @property
    def age(self) -> Configuration:
        """The age-only row that every other is compared with."""
        return self.configurations[1]

    @property
    def settings_tried(self) -> int:
        """All candidates of all configurations: the reader's measure of the winner's curse."""
        return sum(c.settings_tried for c in self.configurations if c.head not in (SELECTED, ENSEMBLE))

    def named(self, head: str, block: str) -> Configuration:
        """The configuration of that head and block."""
        return next(c for c in self.configurations if (c.head, c.block) == (head, block))


def configurations_of(
    planner: Planner, pipelines: Sequence[Pipeline], predictions: Sequence[Sequence[Prediction]],
    settings_tried: dict[tuple[str, str], int], layout: Layout, horizons_days: Array,
) -> tuple[Configuration, ...]:  # fmt: skip
    """`predictions[split][configuration]` put into the layout's order."""
    found = []
    for place, first in enumerate(pipelines[0].rows):
        rows = [pipeline.rows[place] for pipeline in pipelines]
        table = layout.table([own[place] for own in predictions], horizons_days)
        columns = [_columns(row) for row in rows]
        patients = [len({planner.rows.patient_ids[i] for i in split.train}) for split in planner.splits]
        fewest = min(n / count if count else float("inf") for n, count in zip(patients, columns, strict=True))
        found.append(
            Configuration(
                first.head, first.block.name, table, tuple(row.candidate for row in rows if isinstance(row, HeadRow)),
                settings_tried.get((first.head, first.block.name), 1), max(columns), fewest,
                tuple(row.weight for row in rows if isinstance(row, EnsembleRow) and row.without), first.title,
            )
        )  # fmt: skip
    return tuple(found)


def _columns(row: FittedRow) -> int:
    """Candidate input columns of a row, with the most components that its search knew; of an ensemble the widest
    member's."""
    if isinstance(row, HeadRow):
        n, components = row.candidate.n_components, row.inputs.preprocessor.components
        return row.inputs.kept + (0 if n is None else components - min(n, components))
    if isinstance(row, SelectedRow):
        return _columns(row.chosen)
    if isinstance(row, EnsembleRow):
        return max(_columns(member) for member in (*row.with_features, *row.without))
    return 0


@dataclass(frozen=True)
class Layout:
    """The order of a result's rows: by repeat, then by row of the cohort; only rows that are evaluated.

    `row` (rows of the result,) indices of the cohort; `order` places of the concatenated test rows.
    """

    planner: Planner
    row: Array
    order: Array

    @classmethod
    def of(cls, planner: Planner, evaluated: Array) -> Layout:
        """`evaluated` (cohort rows,) bool."""
        row = np.concatenate([split.test for split in planner.splits])
        repeat = np.concatenate([np.full(len(split.test), split.repeat) for split in planner.splits])
        order = np.lexsort((row, repeat))
        order = order[evaluated[row[order]]]
        return cls(planner, row[order], order)

    def truth(self) -> Truth:
        """Outcomes of the predicted rows."""
        rows, splits = self.planner.rows, self.planner.splits
        repeat, fold, classes, own_weights = (
            np.concatenate(parts)[self.order]
            for parts in (
                [np.full(len(split.test), split.repeat) for split in splits],
                [np.full(len(split.test), split.fold) for split in splits],
                [split.classes[split.test] for split in splits],
                [split.weights[split.test] for split in splits],
            )
        )
        cases, patients = (tuple(ids[i] for i in self.row) for ids in (rows.case_ids, rows.patient_ids))
        return Truth(cases, patients, repeat, fold, rows.time[self.row], rows.event[self.row], classes, own_weights)

    def table(self, predictions: Sequence[Prediction], horizons_days: Array) -> RiskTable:
        """One prediction per split."""

        def joined(parts: list[Array | None]) -> Array | None:
            given = [part for part in parts if part is not None]
            return np.concatenate(given)[self.order] if given else None

        truth = self.truth()
        risk = np.concatenate([prediction.risk for prediction in predictions])[self.order]
        curves = joined([prediction.curves for prediction in predictions])
        return RiskTable(
            truth.case_ids, truth.fold, truth.repeat, risk, joined([p.probabilities for p in predictions]), curves,
            None if curves is None else horizons_days,
        )  # fmt: skip
