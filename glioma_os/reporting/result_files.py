"""Scores and predictions of a validation on disk: plain CSV that a reviewer can open."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from glioma_os import NOTICE
from glioma_os.errors import printable
from glioma_os.fusion.instability import Refits
from glioma_os.fusion.results import ValidationResult
from glioma_os.fusion.scores import Score
from glioma_os.fusion.subgroups import SubgroupScore
from glioma_os.records import Array, Region
from glioma_os.volumes.atomic import PRIVATE, atomic_write

SCORES = "scores.csv"
PREDICTIONS = "predictions.csv"
SUBGROUPS = "subgroups.csv"
INSTABILITY = "instability.csv"
DICE = "dice.csv"
ID_COLUMNS = ("case_id", "patient_id", "other_id")
FORMULA = tuple("=+-@\t\r＝＋－＠'")  # what a spreadsheet's formula begins with, and the escape
COLUMNS = ("head", "block", "case_id", "patient_id", "repeat", "fold", "time_days", "event", "class", "risk")


def safe_cell(text: str) -> str:
    """Text that no spreadsheet takes for a formula; `plain_cell` gives it back."""
    return f"'{text}" if text.startswith(FORMULA) else text


def plain_cell(text: str) -> str:
    """What `safe_cell` was given."""
    return text.removeprefix("'")


def csv_bytes(header: list[str], rows: list[list[Any]]) -> bytes:
    """A CSV with Unix line ends. Text that a spreadsheet would calculate is escaped, control characters are
    written out; outside ID_COLUMNS a number with a sign is a number."""

    def cell(name: str, value: Any) -> Any:
        if not isinstance(value, str) or (name not in ID_COLUMNS and _is_number(value)):
            return value
        return safe_cell(printable(value))

    text = io.StringIO()
    safe = [[cell(name, value) for name, value in zip(header, row, strict=True)] for row in rows]
    csv.writer(text, lineterminator="\n").writerows([[safe_cell(printable(name)) for name in header], *safe])
    return text.getvalue().encode()


def _is_number(text: str) -> bool:
    try:
        float(text)
        return True
    except ValueError:
        return False


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV that `csv_bytes` made."""
    with path.open(newline="") as file:
        return [{plain_cell(k): plain_cell(v) for k, v in row.items()} for row in csv.DictReader(file)]


def read_predictions(path: Path) -> pd.DataFrame:
    """What `write_predictions` wrote; ids as they were, whatever they look like."""
    columns = pd.read_csv(path, skiprows=1, nrows=0).columns  # the first line is the notice
    missing = {name: ["", "nan"] for name in columns if name not in ID_COLUMNS}  # NA and null are ids too
    ids = dict.fromkeys(ID_COLUMNS[:2], plain_cell)
    return pd.read_csv(path, skiprows=1, converters=ids, keep_default_na=False, na_values=missing)


def write_scores(scores: list[Score], path: Path) -> None:
    """One line per configuration and metric."""
    fields = list(Score.__dataclass_fields__)
    atomic_write(path, csv_bytes(fields, [[getattr(line, name) for name in fields] for line in scores]))


def read_scores(path: Path) -> list[Score]:
    """What `write_scores` wrote."""
    kinds = {name: field.type for name, field in Score.__dataclass_fields__.items()}
    cast = {"str": str, "float": float, "int": int}
    return [Score(**{n: cast[str(kinds[n])](v) for n, v in row.items()}) for row in read_rows(path)]


def write_predictions(result: ValidationResult, path: Path) -> None:
    """One line per configuration, repeat and case: risk, class probabilities, S(t) at the horizons; owner-only."""
    truth, rows = result.truth, []
    horizons = result.configurations[0].table.horizons_days
    for configuration in result.configurations:
        table = configuration.table
        parts = [part for part in (table.probabilities, table.curves) if part is not None]
        numbers = np.hstack(parts) if parts else np.empty((len(table.risk), 0))
        for place, case_id in enumerate(table.case_ids):
            rows.append(
                [configuration.head, configuration.block, case_id, truth.patient_ids[place], truth.repeat[place],
                 truth.fold[place], f"{truth.time[place]:g}", int(truth.event[place]), truth.classes[place],
                 f"{table.risk[place]:.8g}", *(f"{value:.6g}" for value in numbers[place])]
            )  # fmt: skip
    header = [*COLUMNS, *(f"p_class_{k}" for k in range(result.endpoint.n_classes))]
    header += [] if horizons is None else [f"alive_{day:g}" for day in horizons]
    atomic_write(path, f"# {NOTICE}\n".encode() + csv_bytes(header, rows), PRIVATE)


def read_dice(folder: Path) -> list[dict[str, str]]:
    """A segmenter run's held-out cases, one row each; none if nothing was held out."""
    return read_rows(folder / DICE) if (folder / DICE).exists() else []


def mean_dice(rows: list[dict[str, str]]) -> float:
    """Over cases and regions."""
    return float(np.mean([float(row[f"dice_{region}"]) for row in rows for region in Region]))


def dice_summary(rows: list[dict[str, str]], seed: int) -> dict[str, tuple[float, float, float, int]]:
    """Region → mean Dice, 95 % patient-bootstrap bounds, n."""
    rng = np.random.default_rng(seed)
    out = {}
    for region in Region:
        values = np.array([float(row[f"dice_{region}"]) for row in rows])
        means = values[rng.integers(len(values), size=(2000, len(values)))].mean(1)
        low, high = np.percentile(means, [2.5, 97.5])
        out[region.value] = (float(values.mean()), float(low), float(high), len(values))
    return out


def write_instability(case_ids: tuple[str, ...], refits: Refits, path: Path) -> None:
    """One line per case: the model's probability, then those of the bootstrap models; owner-only."""
    header = ["case_id", "model", *(f"bootstrap_{k}" for k in range(len(refits.bootstrap)))]
    rows = [[name, *row] for name, row in zip(case_ids, np.vstack([refits.original, refits.bootstrap]).T, strict=True)]
    atomic_write(path, csv_bytes(header, [[row[0], *(f"{value:.6g}" for value in row[1:])] for row in rows]), PRIVATE)


def read_instability(path: Path) -> Array | None:
    """(1 + B, cases): the model's probabilities, then the bootstrap models'; None where none were asked for."""
    if not path.exists():
        return None
    with path.open(newline="") as file:
        return np.array([[float(value) for value in row[1:]] for row in list(csv.reader(file))[1:]]).T


def write_subgroups(lines: list[SubgroupScore], path: Path) -> None:
    """One line per configuration and subgroup."""
    fields = list(SubgroupScore.__dataclass_fields__)
    atomic_write(path, csv_bytes(fields, [[getattr(line, name) for name in fields] for line in lines]))
