"""A fitted pipeline: everything between a patient's inputs and the predictions of every configuration, as arrays."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace

import numpy as np

from glioma_os.fusion.heads.contract import Model, Prediction
from glioma_os.fusion.plan import Block, Candidate
from glioma_os.fusion.preprocessing import FoldPreprocessor
from glioma_os.fusion.rows import CLINICAL_COLUMNS, column_places
from glioma_os.records import Array
from glioma_os.survival.curves import CurveCalibration, KaplanMeier
from glioma_os.survival.endpoints import Endpoint


@dataclass(frozen=True)
class NewRows:
    """Patients to predict: `clinical` (n, columns) in CLINICAL_COLUMNS order, `features` (n, f), a site per row."""

    clinical: Array
    features: Array
    sites: tuple[str, ...]
    _prepared: dict[int, Array] = field(default_factory=dict, init=False, repr=False)

    def __len__(self) -> int:
        return len(self.clinical)

    def prepared(self, inputs: Inputs) -> Array:
        """What a head reads, (n, columns); each preprocessor transforms these rows once."""
        key = id(inputs.preprocessor)
        if key not in self._prepared:
            clinical = self.clinical[:, column_places(inputs.block.clinical)]
            features = self.features[:, inputs.feature_columns]
            self._prepared[key] = inputs.preprocessor.transform(clinical, features, list(self.sites))
        return self._prepared[key][:, : inputs.kept]


@dataclass(frozen=True)
class Inputs:
    """How a block's columns become what a head reads: the first `kept` columns that the preprocessor gives."""

    block: Block
    feature_columns: Array
    preprocessor: FoldPreprocessor
    kept: int


def empirical_cdf(risk: Array, training_risk: Array) -> Array:
    """Share of `training_risk` (n,) below each risk, ties half, linear between training values: a common scale for
    risks of different models. Strictly increasing, so that no ranking is lost; beyond the training values it goes on
    with slope 1 / (n · range)."""
    n = len(training_risk)
    values, counts = np.unique(training_risk, return_counts=True)
    below = (np.cumsum(counts) - counts / 2) / n
    span = float(values[-1] - values[0]) or 1.0
    beyond = np.clip(risk - values[-1], 0, None) - np.clip(values[0] - risk, 0, None)
    return np.interp(risk, values, below) + beyond / (n * span)


class FittedRow(ABC):
    """One configuration (a head on a block of inputs) after its fit."""

    head: str
    title: str
    block: Block
    training_risk: Array

    @abstractmethod
    def predict(self, rows: NewRows, horizons_days: Array) -> Prediction:
        """Risk, class probabilities, and survival curves where horizons are given."""

    def common_scale(self, risk: Array) -> Array:
        """Risks (m,) as shares of the training rows' out-of-fold risks below them."""
        return empirical_cdf(risk, self.training_risk)


@dataclass(frozen=True)
class HeadRow(FittedRow):
    """A head refitted on all training rows. `training_risk` (n,) from inner folds; `inner_score` of the choice;
    `title` the head's display name.

    `calibration` gives curves from risks where the model has none of its own.
    """

    head: str
    block: Block
    candidate: Candidate
    inputs: Inputs
    model: Model
    training_risk: Array
    calibration: CurveCalibration
    inner_score: float
    title: str = ""

    def predict(self, rows: NewRows, horizons_days: Array) -> Prediction:
        """By the model, with its own curves or calibrated ones."""
        found = self._rank(rows, self.model.predict(rows.prepared(self.inputs), horizons_days))
        if found.curves is None and len(horizons_days):
            found = replace(found, curves=self.calibration.survival(found.risk, horizons_days))
        return found

    def _rank(self, rows: NewRows, found: Prediction) -> Prediction:
        return found


@dataclass(frozen=True)
class AgeRow(HeadRow):
    """The age-only baseline. Its risk is age itself, older = higher: no fitted coefficient can rank worse than that.

    Probabilities and curves come from the fitted model; an unrecorded age counts as `median_age`.
    """

    median_age: float = 0.0

    def _rank(self, rows: NewRows, found: Prediction) -> Prediction:
        age = rows.clinical[:, CLINICAL_COLUMNS.index("age")]
        return replace(found, risk=np.where(np.isnan(age), self.median_age, age))


@dataclass(frozen=True)
class SelectedRow(FittedRow):
    """The row that inner cross-validation prefers; its risk on the common scale, since splits may prefer others."""

    head: str
    block: Block
    chosen: HeadRow
    training_risk: Array
    title: str = "selected by inner cross-validation"

    def predict(self, rows: NewRows, horizons_days: Array) -> Prediction:
        """The chosen row's."""
        found = self.chosen.predict(rows, horizons_days)
        return replace(found, risk=self.chosen.common_scale(found.risk))


@dataclass(frozen=True)
class EnsembleRow(FittedRow):
    """weight · mean of `with_features` + (1 − weight) · mean of `without`, risks on the common scale.

    `without` are the rows that use the clinical variables alone: with weight 0 the features are not used.
    """

    head: str
    block: Block
    with_features: tuple[HeadRow, ...]
    without: tuple[HeadRow, ...]
    weight: float
    training_risk: Array
    calibration: CurveCalibration
    title: str = "ensemble"

    def predict(self, rows: NewRows, horizons_days: Array) -> Prediction:
        """Risks and probabilities are averaged alike; curves are calibrated on the ensemble's own training risk."""
        sides = [(self.weight, self.with_features), (1 - self.weight, self.without)]
        risk, probabilities = np.zeros(len(rows)), None
        for weight, members in sides:
            if not weight:
                continue
            found = [member.predict(rows, np.empty(0)) for member in members]
            scaled = [member.common_scale(own.risk) for member, own in zip(members, found, strict=True)]
            risk = risk + weight * np.mean(scaled, axis=0)
            classwise = [own.probabilities for own in found if own.probabilities is not None]
            if classwise:
                probabilities = (0 if probabilities is None else probabilities) + weight * np.mean(classwise, axis=0)
        curves = self.calibration.survival(risk, horizons_days) if len(horizons_days) else None
        return Prediction(risk, probabilities, curves)


@dataclass(frozen=True)
class MajorityRow(FittedRow):
    """The training rows' class shares (K,) and Kaplan–Meier curve for everyone; risk 0 ranks nobody."""

    head: str
    block: Block
    shares: Array | None
    curve: KaplanMeier
    training_risk: Array
    title: str = "majority class"

    def predict(self, rows: NewRows, horizons_days: Array) -> Prediction:
        """The same for every row."""
        n = len(rows)
        place = np.searchsorted(self.curve.times, horizons_days, side="right")
        curves = np.tile(np.append(1.0, self.curve.survival)[place], (n, 1)) if len(horizons_days) else None
        return Prediction(np.zeros(n), None if self.shares is None else np.tile(self.shares, (n, 1)), curves)


@dataclass(frozen=True)
class Pipeline:
    """Every configuration fitted on the same training rows. `feature_names` in the order of the columns expected."""

    endpoint: Endpoint
    cuts_days: Array
    rows: tuple[FittedRow, ...]
    feature_names: tuple[str, ...] = ()

    def predict(self, new: NewRows, horizons_days: Array) -> list[Prediction]:
        """One prediction per configuration, in the order of `rows`."""
        return [row.predict(new, horizons_days) for row in self.rows]
