"""What a validation leaves: predictions of every configuration for rows it was not fitted on, and what happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from glioma_os.fusion.ensemble import Fitted
from glioma_os.fusion.folds import LeakPolicy
from glioma_os.fusion.heads.contract import Prediction
from glioma_os.fusion.plan import Candidate, Planner, Split
from glioma_os.fusion.rows import Rows
from glioma_os.records import Array, RiskTable
from glioma_os.survival.curves import calibrated_curves, kaplan_meier
from glioma_os.survival.endpoints import Endpoint


@dataclass(frozen=True)
class Configuration:
    """A head on a block of inputs, with its predictions.

    `chosen` is the candidate of each split, `settings_tried` how many there were, `patients_per_parameter` the
    training patients per input column in the scarcest split (inf where nothing is fitted).
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

    `classes` −1 = undetermined: predicted, but left out of class metrics; `weights` of the classes (1 unless IPCW).
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
    """Predictions of every configuration (majority and age-only first), and what they are judged by.

    `undetermined`: rows without a class, mean over repeats; `seen_by_encoder`: test patients that the encoder was
    trained on, None where the features do not say; `cuts` of every split, in days; `judged_at` the horizons at which
    every split's training rows support a judgement of curves; `site_auc` how well features tell the sites before and
    after ComBat, None without it.
    """

    endpoint: Endpoint
    truth: Truth
    configurations: tuple[Configuration, ...]
    undetermined: float
    seen_by_encoder: int | None
    leak_policy: LeakPolicy
    cuts: tuple[Array, ...] = ()
    judged_at: Array = field(default_factory=lambda: np.empty(0))
    site_auc: tuple[float, float] | None = None

    @property
    def age(self) -> Configuration:
        """The age-only row that every other is compared with."""
        return self.configurations[1]

    @property
    def clinical(self) -> Configuration | None:
        """The same head on all that is known clinically, where that was asked for."""
        wanted = [c for c in self.configurations if c.block == "clinical"]
        return next((c for c in wanted if c.head == self.age.head), wanted[0] if wanted else None)

    @property
    def settings_tried(self) -> int:
        """All candidates of all configurations: the reader's measure of the winner's curse."""
        return sum(c.settings_tried for c in self.configurations if c.head not in ("auto", "stack"))


def configuration(planner: Planner, fitted: Fitted) -> Configuration:
    """Predictions in the rows' order, with survival curves: the head's own, or calibrated on inner folds."""
    curves = []
    for split, choice, prediction in zip(planner.splits, fitted.choices, fitted.predictions, strict=True):
        own = prediction.curves
        if own is None and len(planner.horizons_days):
            time, event = planner.rows.time[split.train], planner.rows.event[split.train]
            own = calibrated_curves(choice.risk, time, event, prediction.risk, planner.horizons_days)
        curves.append(Prediction(prediction.risk, prediction.probabilities, own))
    widths = [
        split.inputs(planner.rows, fitted.block, choice.candidate.n_components, planner.how, None)[0].shape[1]
        for split, choice in zip(planner.splits, fitted.choices, strict=True)
    ]
    return Configuration(
        fitted.head,
        fitted.block.name,
        risk_table(planner, curves),
        tuple(choice.candidate for choice in fitted.choices),
        fitted.settings_tried,
        _patients_per_parameter(planner.rows, planner.splits, widths),
    )


def majority(planner: Planner) -> Configuration:
    """The training rows' class shares and Kaplan–Meier curve for everyone; risk 0 ranks nobody."""
    predictions = []
    for split in planner.splits:
        n, shares, curves = len(split.test), None, None
        if planner.endpoint.n_classes:
            known = split.train[split.classes[split.train] >= 0]
            counts = np.bincount(split.classes[known], split.weights[known], planner.endpoint.n_classes)
            shares = np.tile(counts / counts.sum(), (n, 1))
        if len(planner.horizons_days):
            whole = kaplan_meier(planner.rows.time[split.train], planner.rows.event[split.train])
            place = np.searchsorted(whole.times, planner.horizons_days, side="right")
            curves = np.tile(np.append(1.0, whole.survival)[place], (n, 1))
        predictions.append(Prediction(np.zeros(n), shares, curves))
    return Configuration("majority", "none", risk_table(planner, predictions))


def truth_of(planner: Planner) -> Truth:
    """What happened to the predicted rows."""
    rows, splits = planner.rows, planner.splits
    order = _order(planner)
    row = np.concatenate([split.test for split in splits])[order]
    repeat, fold, classes, weights = (
        np.concatenate(parts)[order]
        for parts in (
            [np.full(len(split.test), split.repeat) for split in splits],
            [np.full(len(split.test), split.fold) for split in splits],
            [split.classes[split.test] for split in splits],
            [split.weights[split.test] for split in splits],
        )
    )
    cases, patients = (tuple(ids[i] for i in row) for ids in (rows.case_ids, rows.patient_ids))
    return Truth(cases, patients, repeat, fold, rows.time[row], rows.event[row], classes, weights)


def risk_table(planner: Planner, predictions: Sequence[Prediction]) -> RiskTable:
    """One prediction per split, put into the order of repeats and of the cohort's rows."""
    truth, order = truth_of(planner), _order(planner)

    def joined(parts: list[Array | None]) -> Array | None:
        given = [part for part in parts if part is not None]
        return np.concatenate(given)[order] if given else None

    risk = np.concatenate([prediction.risk for prediction in predictions])[order]
    curves = joined([prediction.curves for prediction in predictions])
    return RiskTable(
        truth.case_ids, truth.fold, truth.repeat, risk, joined([p.probabilities for p in predictions]), curves,
        None if curves is None else planner.horizons_days,
    )  # fmt: skip


def _order(planner: Planner) -> Array:
    """Places of the concatenated test rows sorted by repeat, then by row of the cohort; only rows to be judged."""
    row = np.concatenate([split.test for split in planner.splits])
    repeat = np.concatenate([np.full(len(split.test), split.repeat) for split in planner.splits])
    order = np.lexsort((row, repeat))
    return order[planner.judged[row[order]]]


def _patients_per_parameter(rows: Rows, splits: Sequence[Split], widths: Sequence[int]) -> float:
    """Scarcest split; each input column counts as one parameter."""
    ids = np.asarray(rows.patient_ids)
    found = [len(set(ids[split.train])) / max(width, 1) for split, width in zip(splits, widths, strict=True)]
    return float(min(found))
