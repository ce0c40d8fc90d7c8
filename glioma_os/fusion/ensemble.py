"""What comes out of several heads together: the head that the inner folds prefer, and the mean of them all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from glioma_os.fusion.heads.contract import Prediction
from glioma_os.fusion.plan import Block, Choice, Split
from glioma_os.records import Array


@dataclass(frozen=True)
class Fitted:
    """A head on a block in every split: what its search chose, and what its refit predicts."""

    head: str
    block: Block
    choices: tuple[Choice, ...]
    predictions: tuple[Prediction, ...]
    settings_tried: int


def auto(of_block: Sequence[Fitted]) -> Fitted:
    """In each split the head with the best inner score: chosen without a look at the test rows.

    Splits may choose different heads, so a risk counts as its standing: the heads' own scales cannot be pooled.
    """
    choices, predictions = [], []
    for k in range(len(of_block[0].choices)):
        best = max(of_block, key=lambda own: own.choices[k].score)
        choice, prediction = best.choices[k], best.predictions[k]
        choices.append(choice._replace(risk=_standing(choice.risk, choice.risk)))
        predictions.append(replace(prediction, risk=_standing(prediction.risk, choice.risk)))
    tried = sum(own.settings_tried for own in of_block)
    return Fitted("auto", of_block[0].block, tuple(choices), tuple(predictions), tried)


def stack(of_block: Sequence[Fitted], splits: Sequence[Split]) -> Fitted:
    """Mean of the heads. A risk counts as its standing among the head's own inner out-of-fold risks."""
    choices, predictions = [], []
    for k in range(len(splits)):
        known = [own.choices[k].risk for own in of_block]
        standings = [_standing(own.predictions[k].risk, risk) for own, risk in zip(of_block, known, strict=True)]
        own_standings = [_standing(risk, risk) for risk in known]
        classwise = [own.predictions[k].probabilities for own in of_block]
        predictions.append(
            Prediction(
                np.mean(standings, axis=0),
                None if classwise[0] is None else np.mean([p for p in classwise if p is not None], axis=0),
            )
        )
        score = float(np.mean([own.choices[k].score for own in of_block]))
        choices.append(Choice(of_block[0].choices[k].candidate, score, np.mean(own_standings, axis=0)))
    tried = sum(own.settings_tried for own in of_block)
    return Fitted("stack", of_block[0].block, tuple(choices), tuple(predictions), tried)


def _standing(risk: Array, among: Array) -> Array:
    """Share of `among` that lies below each risk, ties half."""
    known = np.sort(among)
    below = np.searchsorted(known, risk, side="left") + np.searchsorted(known, risk, side="right")
    return below / (2 * len(known))
