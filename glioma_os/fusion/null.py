"""Label-permutation and noise-feature control: the complete validation on data without signal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from scipy.stats import t as student

from glioma_os.errors import ConfigError
from glioma_os.fusion.results import ValidationResult
from glioma_os.fusion.rows import Rows
from glioma_os.fusion.scores import point
from glioma_os.records import Array, FeatureTable
from glioma_os.survival.resampling import permutation_p

NullKind = Literal["labels", "noise", "features"]
CLINICAL = ("none", "age", "clinical")  # blocks without features


@dataclass(frozen=True)
class NullScore:
    """What a configuration scored over the null runs: AUC, or C for the time to death.

    `lowest_mean`: lower 99 % limit of the mean; above ½ the pipeline `leaks`, unless the null runs leave it something
    to predict from (clinical values in a fused block beside shuffled features). `p`: one plus how many null runs reach
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


def permute_outcomes(rows: Rows, seed: int) -> Rows:
    """The same rows with survival permuted among them: time and event stay together."""
    order = np.random.default_rng(seed).permutation(len(rows.time))
    return replace(rows, time=rows.time[order], event=rows.event[order])


def noise_like(table: FeatureTable, seed: int) -> FeatureTable:
    """The same table with standard normal noise for values."""
    values = np.random.default_rng(seed).standard_normal(table.values.shape).astype(np.float32)
    return replace(table, values=values)


def shuffle_features(table: FeatureTable, case_ids: Sequence[str], seed: int) -> FeatureTable:
    """The same table with the rows of these cases permuted among them, so that they say nothing of outcome or age.

    Columns keep their distribution and their correlations. The permutation depends on cases and seed alone, so the
    tables of several folds are shuffled alike.
    """
    place = {case_id: row for row, case_id in enumerate(table.case_ids)}
    rows = np.array([place[case_id] for case_id in case_ids])
    values = table.values.copy()
    values[rows] = table.values[np.random.default_rng(seed).permutation(rows)]
    return replace(table, values=values)


def null_scores(
    validate: Callable[[int], ValidationResult], runs: Iterable[int], kind: NullKind, observed: ValidationResult | None
) -> list[NullScore]:
    """Runs `validate(number)`, which answers with permuted labels, noise or shuffled features, and evaluates it.

    With permuted labels nothing can be predicted. With noise or shuffled features that holds for blocks of features
    alone; with shuffled features the `p` of a fused block shows what the features add to clinical values.
    """
    if kind not in get_args(NullKind):
        raise ConfigError("permutation_test.kind", f"{kind!r} found → one of {', '.join(get_args(NullKind))} expected",
                          "Correct the value")  # fmt: skip
    without = {"labels": (), "noise": (*CLINICAL, "fused"), "features": CLINICAL}[kind]
    found: dict[tuple[str, str], list[float]] = {}
    for number in runs:
        result = validate(number)
        for configuration in result.configurations:
            if configuration.block not in without:
                found.setdefault((configuration.head, configuration.block), []).append(point(result, configuration))
    real = {} if observed is None else {(c.head, c.block): point(observed, c) for c in observed.configurations}
    return [
        _evaluate(
            head, block, np.array(values), real.get((head, block), float("nan")), kind == "labels" or block != "fused"
        )
        for (head, block), values in found.items()
        if head != "majority"
    ]


def _evaluate(head: str, block: str, values: Array, observed: float, at_chance: bool) -> NullScore:
    """`at_chance`: whether nothing is left that could be predicted from."""
    n, mean = len(values), float(values.mean())
    sd = float(values.std(ddof=1)) if n > 1 else float("nan")
    lowest = mean - float(student.ppf(0.99, n - 1)) * sd / np.sqrt(n) if n > 1 else float("nan")
    p = float("nan") if np.isnan(observed) else permutation_p(observed, values)
    leaks = bool(at_chance and lowest > 0.5)
    return NullScore(head, block, n, mean, sd, float(values.max()), float(lowest), leaks, observed, p)
