"""How often a report claims a gain that is not there, what it finds when there is one, and what its intervals cover.

python experiments/07_false_claims/simulate.py --cohorts 40            every table, minutes
python experiments/07_false_claims/simulate.py --cohorts 400 --write   the tables of the README
"""

import argparse
import csv
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

import numpy as np  # noqa: E402
from cohorts import Law, draw, folds_of  # noqa: E402

from glioma_os.fusion.heads.cox import Cox  # noqa: E402
from glioma_os.fusion.heads.logistic import Logistic  # noqa: E402
from glioma_os.fusion.pipeline import NewRows, Pipeline  # noqa: E402
from glioma_os.fusion.preprocessing import Preparation  # noqa: E402
from glioma_os.fusion.results import ValidationResult  # noqa: E402
from glioma_os.fusion.rows import Rows  # noqa: E402
from glioma_os.fusion.scores import score  # noqa: E402
from glioma_os.fusion.validation import nested_validation  # noqa: E402
from glioma_os.records import FeatureTable  # noqa: E402
from glioma_os.reporting.tables import headline, lead_score  # noqa: E402
from glioma_os.survival.calibration import wilson  # noqa: E402
from glioma_os.survival.classification import auc  # noqa: E402
from glioma_os.survival.concordance import concordance  # noqa: E402
from glioma_os.survival.endpoints import Endpoint, classes  # noqa: E402

ENDPOINTS = {
    "binary_median": Endpoint("binary_median", quantiles=(0.5,)),
    "binary_365": Endpoint("binary_365", cuts_days=(365,)),
    "time_to_event": Endpoint("time_to_event", kind="time"),
}
LAWS = {"age": Law(), "noise": Law(128), "clinical": Law(12, clinical=True)}
VARIABLES = {"age": ("age",), "noise": ("age",), "clinical": ("age", "sex", "eor")}
N, REPLICATES, NEW = 118, 1000, 4000
SIGNALS = (0.4, 0.6)  # correlation of the features' trait with log survival
COVERED = Law(32, SIGNALS[0])


@dataclass(frozen=True)
class Cell:
    """One row of a table: what is simulated, and how."""

    kind: str
    law: Law
    variables: tuple[str, ...]
    endpoint: str
    n: int = N
    repeats: int = 1


def validated(cell: Cell, seed: int) -> tuple[ValidationResult, Rows, FeatureTable | None]:
    """The nested validation of one cohort, by the code that the stages call."""
    rows, table = draw(cell.law, cell.n, np.random.default_rng([seed, cell.n, cell.law.features]))
    endpoint = ENDPOINTS[cell.endpoint]
    heads: list = [Cox(l2=(10.0,))]
    heads += [Logistic(inverse_l2=(0.1,))] if endpoint.n_classes else []
    features = None if table is None else (lambda repeat, fold: table)
    result = nested_validation(
        rows,
        cell.variables,
        features,
        heads,
        endpoint,
        folds_of(rows, cell.repeats, seed),
        3,
        Preparation((4, 16)),
        seed=seed,
    )
    return result, rows, table


def claim(cell: Cell, seed: int) -> tuple[float, float, float, bool, float]:
    """Headline difference with its interval, whether the headline says that the features add, and Δ to age alone.

    Of age alone the row is the heads' ensemble on age against age itself: the true difference is 0.
    """
    result, _, _ = validated(cell, seed)
    metric = "auc" if result.endpoint.n_classes else "c_index"
    scores = score(result, result.endpoint, REPLICATES, seed, metrics=(metric,))
    if cell.law.features:
        lead = lead_score(scores)
        summary = {"clinical_used": list(cell.variables), "feature_source": "csv"}
        says = " add to " in headline(lead, [result.age.head, result.age.block], summary)
        return lead.delta_to_reference, lead.reference_low, lead.reference_high, says, lead.delta_to_age
    name = "ensemble" if result.endpoint.n_classes else "cox"
    row = next(s for s in scores if (s.head, s.block) == (name, "age"))
    return row.delta_to_age, row.delta_low, row.delta_high, row.delta_low > 0, row.delta_to_age


def performance(pipeline: Pipeline, place: int, rows: Rows, table: FeatureTable) -> float:
    """AUC or C of one configuration of a fitted pipeline in new patients."""
    new = NewRows(rows.clinical, table.values.astype(float), rows.sites)
    risk = pipeline.rows[place].predict(new, np.empty(0)).risk
    if not pipeline.endpoint.n_classes:
        return concordance(rows.time, rows.event, risk)
    of_rows = classes(rows.time, rows.event, pipeline.cuts_days)
    known = of_rows >= 0
    return float(auc(of_rows[known] == 0, risk[known], np.ones((1, known.sum())))[0])


def cover(cell: Cell, seed: int) -> tuple[float, ...]:
    """Value, interval and true performance (mean over the folds' pipelines) of the leading row, then of its difference
    to age alone."""
    result, _, _ = validated(cell, seed)
    new, table = draw(cell.law, NEW, np.random.default_rng([seed, cell.n, 99]), "n")
    metric = "auc" if result.endpoint.n_classes else "c_index"
    lead = lead_score(score(result, result.endpoint, REPLICATES, seed, metrics=(metric,)))
    keys = [(c.head, c.block) for c in result.configurations]
    own, age = (
        float(np.mean([performance(pipeline, place, new, table) for pipeline in result.pipelines]))
        for place in (keys.index((lead.head, lead.block)), 1)
    )
    return (lead.value, lead.low, lead.high, own, lead.delta_to_age, lead.delta_low, lead.delta_high, own - age)


def share(hits: np.ndarray) -> str:
    """A share in percent with its 95 % Wilson interval."""
    low, high = wilson(np.array([hits.sum()]), np.array([len(hits)]))
    return f"{100 * hits.mean():.1f} % [{100 * low[0]:.1f}, {100 * high[0]:.1f}]"


def claims_row(cell: Cell, found: np.ndarray) -> dict[str, str]:
    delta, low, high, says, to_age = found.T
    return {
        "inputs": cell.kind, "repeats": str(cell.repeats), "endpoint": cell.endpoint, "cohorts": str(len(found)),
        "mean difference": f"{delta.mean():+.4f}", "interval above 0": share(low > 0),
        "interval below 0": share(high < 0), "headline says add": share(says > 0),
        "mean difference to age": f"{to_age.mean():+.4f}",
    }  # fmt: skip


def coverage_row(cell: Cell, found: np.ndarray) -> dict[str, str]:
    value, low, high, true, _, delta_low, delta_high, true_delta = found.T
    target, delta_target = true.mean(), true_delta.mean()
    return {
        "endpoint": cell.endpoint, "n": str(cell.n), "cohorts": str(len(found)), "mean": f"{value.mean():.3f}",
        "expected": f"{target:.3f}", "covers these predictions": share((low <= true) & (true <= high)),
        "covers the procedure": share((low <= target) & (target <= high)),
        "difference: these predictions": share((delta_low <= true_delta) & (true_delta <= delta_high)),
        "difference: the procedure": share((delta_low <= delta_target) & (delta_target <= delta_high)),
    }  # fmt: skip


def tables(parts: list[str]) -> dict[str, tuple[object, object, list[Cell]]]:
    """Name → (what is computed for a cohort, how a row is made of all, the rows)."""
    claims = [Cell(kind, LAWS[kind], VARIABLES[kind], name) for kind in LAWS for name in ENDPOINTS]
    power, repeated = (
        [Cell(f"signal {s}", Law(128, s), ("age",), name, N, repeats) for s in signals for name in ENDPOINTS]
        for signals, repeats in ((SIGNALS, 1), (SIGNALS[:1], 10))
    )
    coverage = [Cell("coverage", COVERED, ("age",), name, n) for n in (118, 600) for name in
                ("binary_365", "time_to_event")]  # fmt: skip
    found = {"claims": (claim, claims_row, claims), "power": (claim, claims_row, power),
             "repeated": (claim, claims_row, repeated), "coverage": (cover, coverage_row, coverage)}  # fmt: skip
    return {name: found[name] for name in parts}


def write(name: str, rows: list[dict[str, str]]) -> None:
    """The table as a CSV, and in the README between its two marks."""
    with (HERE / f"{name}.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    readme = HERE / "README.md"
    before, _, rest = readme.read_text().partition(f"<!-- {name} -->\n")
    _, mark, after = rest.partition(f"<!-- end of {name} -->")
    readme.write_text(f"{before}<!-- {name} -->\n{table}\n{mark}{after}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cohorts", type=int, default=40, help="simulated cohorts per row")
    parser.add_argument(
        "--parts",
        nargs="+",
        default=["claims", "power", "coverage"],
        help="of claims, power, repeated (slow), coverage",
    )
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--write", action="store_true", help="write the tables beside this file")
    asked = parser.parse_args()
    with ProcessPoolExecutor(asked.processes) as pool:
        for name, (compute, as_row, cells) in tables(asked.parts).items():
            rows: list[dict[str, str]] = []
            print(f"\n{name}")
            for cell in cells:
                start = time.monotonic()
                found = np.array(list(pool.map(partial(compute, cell), range(asked.cohorts))), float)
                rows.append(as_row(cell, found))
                print(" | ".join(rows[-1].values()), f"({time.monotonic() - start:.0f} s)", flush=True)
                if asked.write:
                    write(name, rows)


if __name__ == "__main__":
    main()
