"""Prints the table of this folder's README from study runs: summarise.py NAME=runs-folder …"""

import csv
import json
import sys
from pathlib import Path

SHOWN = (("logistic", "age"), ("logistic", "fused"), ("random_forest", "fused"), ("xgboost", "fused"), ("mlp", "fused"),
         ("cox", "fused"), ("ensemble", "fused"))  # fmt: skip


def rows(root):
    for path in sorted(Path(root).glob("survival/*/*/summary.json")):
        summary = json.loads(path.read_text())
        with (path.parent / "scores.csv").open(newline="") as file:
            scores = {(s["head"], s["block"], s["metric"]): {k: v for k, v in s.items()} for s in csv.DictReader(file)}
        yield summary, scores


def cell(score):
    value, low, high = (float(score[k]) for k in ("value", "low", "high"))
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def main():
    print("| study | setting | head | sees | n | AUC | Δ AUC to age | C-index | Δ C to age |")
    print("|---|---|---|---|---|---|---|---|---|")
    for argument in sys.argv[1:]:
        name, root = argument.split("=")
        for summary, scores in rows(root):
            for head, block in SHOWN:
                auc, c = scores[head, block, "auc"], scores[head, block, "c_index"]
                deltas = [
                    f"{float(s['delta_to_age']):+.3f} [{float(s['delta_low']):+.3f}, {float(s['delta_high']):+.3f}]"
                    if block != "age"
                    else "reference"
                    for s in (auc, c)
                ]
                sees = "age" if block == "age" else "images + age"
                print(
                    f"| {name} | {summary['setting']} | {head} | {sees} | {auc['n']} | {cell(auc)} | {deltas[0]} "
                    f"| {cell(c)} | {deltas[1]} |"
                )


if __name__ == "__main__":
    main()
