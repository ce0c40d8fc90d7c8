"""Extremely randomised trees: a forest whose thresholds are drawn (Geurts 2006, 10.1007/s10994-006-6226-1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from sklearn.ensemble import ExtraTreesClassifier

from glioma_os.fusion.heads.random_forest import RandomForest


@dataclass(frozen=True)
class ExtraTrees(RandomForest):
    """Every tree on all training rows; each split draws one threshold for each of its columns and takes the best."""

    name: ClassVar[str] = "extra_trees"
    title: ClassVar[str] = "extra trees"
    forest: ClassVar[type[ExtraTreesClassifier]] = ExtraTreesClassifier
