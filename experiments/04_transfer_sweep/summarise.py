"""Markdown of what `stage=collect` wrote: `python summarise.py title=SWEEP_FOLDER …`"""

import csv
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).parent
NAMES = {"auc": "AUC", "c_index": "C-index", "dice_tc": "Dice TC", "dice_wt": "Dice WT", "dice_et": "Dice ET"}
NUMBERS = ("metric", "value", "low", "high", "n", "seeds", "seed_sd", "delta_to_age", "delta_low", "delta_high")


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def signed(row, *names):
    value, low, high = (float(row[name]) for name in names)
    return f"{value:+.3f} [{low:+.3f}, {high:+.3f}]"


def effects(folder):
    yield "| number | factor | level − reference | difference | pairs | p (Holm) |"
    yield "|---|---|---|---|---|---|"
    for row in rows(folder / "effects.csv"):
        yield (
            f"| {NAMES[row['metric']]} | {row['factor']} | {row['level']} − {row['reference']} | "
            f"{signed(row, 'value', 'low', 'high')} | {row['pairs']} | {float(row['p_holm']):.3f} |"
        )


def cells(folder):
    found = rows(folder / "cells.csv")
    factors = [name for name in found[0] if name not in NUMBERS]
    yield f"| number | {' | '.join(factors)} | value | Δ to age alone | n | seeds |"
    yield "|---" * (len(factors) + 5) + "|"
    for metric in dict.fromkeys(row["metric"] for row in found):
        own = [row for row in found if row["metric"] == metric]
        for row in own if len(own) <= 8 else [*own[:3], own[-1]]:
            age = signed(row, "delta_to_age", "delta_low", "delta_high") if row["delta_to_age"] != "nan" else ""
            yield (
                f"| {NAMES[metric]} | {' | '.join(row[name] for name in factors)} | {float(row['value']):.3f} "
                f"[{float(row['low']):.3f}, {float(row['high']):.3f}] | {age} | {row['n']} | {row['seeds']} |"
            )


for argument in sys.argv[1:]:
    title, _, place = argument.partition("=")
    folder = Path(place)
    print(f"### {title}\n", *effects(folder), "", *cells(folder), "", sep="\n")
    for name in ("cells.csv", "effects.csv"):
        shutil.copyfile(folder / name, HERE / f"{folder.name}_{name}")
