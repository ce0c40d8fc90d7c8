"""Decision trees as plain arrays: which leaf a row falls into, without scikit-learn's objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from glioma_os.records import Array


class Trees(NamedTuple):
    """All nodes of all trees in one row: `column` (nodes,) to compare, −1 in a leaf; `threshold`; the places `left`
    (value ≤ threshold) and `right` of the children; `roots` (trees,)."""

    column: Array
    threshold: Array
    left: Array
    right: Array
    roots: Array

    @classmethod
    def of(cls, estimators: Sequence[Any]) -> Trees:
        """From fitted scikit-learn trees."""
        trees = [estimator.tree_ for estimator in estimators]
        roots = np.cumsum([0, *(tree.node_count for tree in trees)])[:-1]
        column = np.concatenate([np.where(tree.children_left < 0, -1, tree.feature) for tree in trees])
        left = np.concatenate([tree.children_left + root for tree, root in zip(trees, roots, strict=True)])
        right = np.concatenate([tree.children_right + root for tree, root in zip(trees, roots, strict=True)])
        return cls(column, np.concatenate([tree.threshold for tree in trees]), left, right, roots)

    def leaves(self, inputs: Array) -> Array:
        """Node number (n, trees) of each row's leaf in each tree. Values are compared in float32, as scikit-learn
        does."""
        values = np.asarray(inputs, np.float32)
        node = np.tile(self.roots, (len(values), 1))
        rows = np.arange(len(values))[:, None]
        while (inside := self.column[node] >= 0).any():
            below = values[rows, np.maximum(self.column[node], 0)] <= self.threshold[node]
            node = np.where(inside, np.where(below, self.left[node], self.right[node]), node)
        return node
