"""What Marasi et al. 2025 report (doi 10.1007/s11548-025-03548-1, abstract): the best model of each arm and metric.

The paper names neither the classes' cut, nor the patients, nor intervals: a comparison, not a target.
"""

from __future__ import annotations

from typing import NamedTuple


class Published(NamedTuple):
    """One published figure: the head it belongs to and its value."""

    head: str
    value: float


MARASI_2025: dict[str, dict[str, Published]] = {
    "BraTS4CH": {
        "f1_weighted": Published("mlp", 0.71), "auc": Published("mlp", 0.74), "accuracy": Published("mlp", 0.71),
    },
    "BraTS2CH": {
        "f1_weighted": Published("mlp", 0.67), "auc": Published("mlp", 0.70), "accuracy": Published("mlp", 0.67),
    },
    "Besta2CH": {
        "f1_weighted": Published("xgboost", 0.65), "auc": Published("mlp", 0.70),
        "accuracy": Published("xgboost", 0.66),
    },
}  # fmt: skip
