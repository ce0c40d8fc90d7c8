"""Restricted cubic splines: smooth between the knots, linear beyond them."""

from __future__ import annotations

import numpy as np

from glioma_os.records import Array


def quantile_knots(values: Array, quantiles: tuple[float, ...] = (0.1, 0.5, 0.9)) -> Array:
    """Knots at quantiles of (n,) values (Harrell 2015, §2.4.6: three for small samples); equal ones are merged."""
    return np.unique(np.quantile(np.asarray(values, float), quantiles))


def restricted_cubic_basis(values: Array, knots: Array) -> Array:
    """Columns (n, knots − 1) of a restricted cubic spline (Harrell 2015, equation 2.25): the value itself, then the
    cubic terms over the squared knot range. Fewer than three knots leave the straight line (n, 1)."""
    values, knots = np.asarray(values, float), np.asarray(knots, float)
    if len(knots) < 3:
        return values[:, None]
    last, before = knots[-1], knots[-2]

    def cube(knot: float) -> Array:
        return np.maximum(values - knot, 0.0) ** 3

    terms = [
        (cube(k) - cube(before) * (last - k) / (last - before) + cube(last) * (before - k) / (last - before))
        / (last - knots[0]) ** 2
        for k in knots[:-2]
    ]
    return np.column_stack([values, *terms])
