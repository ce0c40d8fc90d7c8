"""Prediction instability: how much a prediction depends on the sample the model was developed in."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from glioma_os.errors import DataError
from glioma_os.records import Array


class Instability(NamedTuple):
    """Per patient (n,) the mean absolute prediction error and the 2.5 and 97.5 % quantiles of the predictions of the
    bootstrap models; `average_error` is the mean of the first over the patients."""

    error: Array
    low: Array
    high: Array
    average_error: float


def instability(original: Array, bootstrap: Array, level: float = 0.95) -> Instability:
    """Prediction instability (Riley & Collins 2023, Biometrical J 65:2200302).

    `original` (n,): the model's predictions; `bootstrap` (B, n): those of models refitted to bootstrap samples of the
    development data, for the same patients. NaN marks a replicate that did not predict a patient and is left out;
    a patient without any is a DataError.
    """
    original, bootstrap = np.asarray(original, float), np.asarray(bootstrap, float)
    if bootstrap.ndim != 2 or bootstrap.shape[1:] != original.shape:
        raise DataError(
            "prediction instability", f"shapes {original.shape} and {bootstrap.shape} found → (n,) and (B, n) expected",
            "Predict the same patients with every model",
        )  # fmt: skip
    without = int(np.isnan(bootstrap).all(axis=0).sum())
    if without or not len(original):
        raise DataError(
            "prediction instability", f"{without} of {len(original)} patients without a bootstrap prediction",
            "Use more replicates",
        )  # fmt: skip
    error = np.nanmean(np.abs(bootstrap - original), axis=0)
    low, high = np.nanquantile(bootstrap, [0.5 - level / 2, 0.5 + level / 2], axis=0)
    return Instability(error, low, high, float(error.mean()))
