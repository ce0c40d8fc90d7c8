"""Null runs: the whole validation where nothing can be predicted. A pipeline that still scores knows its test rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.stats import t as student

from glioma_os.errors import ConfigError
from glioma_os.fusion.results import ValidationResult
from glioma_os.fusion.rows import Rows
from glioma_os.fusion.scores import point
from glioma_os.records import Array, FeatureTable
from glioma_os.survival.resampling import permutation_p

NullKind = Literal["labels", "noise"]


@dataclass(frozen=True)
class NullScore:
    """What a configuration scored over the null runs: AUC, or C for the time to death; ½ is chance.

    `lowest_mean`: lower 99 % limit of the mean; above ½ the pipeline `leaks`. `p`: one plus how many null runs reach
    `observed`, over one plus the runs (Phipson & Smyth 2010); NaN where nothing was observed.
    """

    head: str
    block: str
    runs: int
    mean: float
    sd: float
    highest: float
    lowest_mean: float
    leaks: bool
    observed: float
    p: float


def permuted(rows: Rows, seed: int) -> Rows:
    """The same rows with survival dealt out anew: time and event stay together."""
    order = np.random.default_rng(seed).permutation(len(rows.time))
    return replace(rows, time=rows.time[order], event=rows.event[order])


def noise_like(table: FeatureTable, seed: int) -> FeatureTable:
    """The same table with standard normal noise for values."""
    values = np.random.default_rng(seed).standard_normal(table.values.shape).astype(np.float32)
    return replace(table, values=values)


def null_scores(
    validate: Callable[[int], ValidationResult], runs: Iterable[int], kind: NullKind, observed: ValidationResult | None
) -> list[NullScore]:
    """Runs `validate(number)`, which answers with permuted labels or with noise features, and judges what comes.

    With permuted labels nothing can be known; with noise that holds for configurations that see features alone.
    """
    if kind not in ("labels", "noise"):
        raise ConfigError("null_runs.kind", f"{kind!r} found → labels or noise expected", "Correct the key")
    found: dict[tuple[str, str], list[float]] = {}
    for number in runs:
        result = validate(number)
        for configuration in result.configurations:
            if kind == "labels" or configuration.block not in ("none", "age", "clinical", "fused"):
                found.setdefault((configuration.head, configuration.block), []).append(point(result, configuration))
    real = {} if observed is None else {(c.head, c.block): point(observed, c) for c in observed.configurations}
    return [
        _judged(head, block, np.array(values), real.get((head, block), float("nan")))
        for (head, block), values in found.items()
        if head != "majority"
    ]


def _judged(head: str, block: str, values: Array, observed: float) -> NullScore:
    n, mean = len(values), float(values.mean())
    sd = float(values.std(ddof=1)) if n > 1 else float("nan")
    lowest = mean - float(student.ppf(0.99, n - 1)) * sd / np.sqrt(n) if n > 1 else float("nan")
    p = float("nan") if np.isnan(observed) else permutation_p(observed, values)
    return NullScore(head, block, n, mean, sd, float(values.max()), float(lowest), bool(lowest > 0.5), observed, p)
