"""Prints the table of this folder's README: age alone on a BraTS2020 survival table, from a runs folder."""

import csv
import json
import sys
from pathlib import Path

METRICS = {"binary_median": ["auc"], "binary_365": ["auc"], "three_class": ["accuracy"],
           "time_to_event": ["c_index", "spearman"]}  # fmt: skip


def main():
    print("| patients | endpoint | metric | n | value | 95 % interval |")
    print("|---|---|---|---|---|---|")
    for path in sorted(Path(sys.argv[1]).glob("survival/*/*/summary.json")):
        summary = json.loads(path.read_text())
        with (path.parent / "scores.csv").open(newline="") as file:
            scores = [s for s in csv.DictReader(file) if [s["head"], s["block"]] == summary["age"]]
        who = "GTR" if any("resection" in reason for reason in summary["excluded"]) else "all"
        for score in scores:
            if score["metric"] in METRICS.get(summary["endpoint"]["name"], []):
                print(
                    f"| {who} | {summary['endpoint']['name']} | {score['metric']} | {score['n']} "
                    f"| {float(score['value']):.3f} | [{float(score['low']):.3f}, {float(score['high']):.3f}] |"
                )


if __name__ == "__main__":
    main()
