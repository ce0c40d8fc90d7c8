"""Prints the table of this folder's README from a runs folder: mean Dice over cases, 95 % patient bootstrap."""

import csv
import sys
from pathlib import Path

import numpy as np


def main():
    print("| segmenter | n | WT | TC | ET | per case WT |")
    print("|---|---|---|---|---|---|")
    for stage in ("pretrain", "finetune"):
        rows = []
        for path in sorted(Path(sys.argv[1]).glob(f"{stage}/real_mini/*/dice.csv")):
            with path.open(newline="") as file:
                rows += list(csv.DictReader(file))
        cells = []
        for region in ("wt", "tc", "et"):
            values = np.array([float(row[f"dice_{region}"]) for row in rows])
            means = values[np.random.default_rng(7).integers(len(values), size=(2000, len(values)))].mean(1)
            low, high = np.percentile(means, [2.5, 97.5])
            cells.append(f"{values.mean():.3f} [{low:.3f}, {high:.3f}]")
        each = ", ".join(f"{float(row['dice_wt']):.2f}" for row in rows)
        print(f"| {stage} | {len(rows)} | {' | '.join(cells)} | {each} |")


if __name__ == "__main__":
    main()
