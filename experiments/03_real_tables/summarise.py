"""summarise.py RUNS: results.csv with every configuration, and the table of what each block of inputs gives."""

import csv
import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
COHORTS = {
    "brats_gtr": "BraTS2020 GTR",
    "brats_radiomics": "BraTS2020 all",
    "upenn_clinical": "UPENN all",
    "upenn_radiomics": "UPENN with radiomics",
}
PRIMARY = {"binary_median": "auc", "three_class": "accuracy", "time_to_event": "c_index"}
LEADS = ("selected", "ensemble")
KEPT = ("head", "block", "metric", "value", "low", "high", "n", "delta_to_age", "delta_low", "delta_high")
METRICS = ("auc", "accuracy", "f1_weighted", "c_index", "c_uno", "ibs", "spearman")


def read(root):
    for name, title in COHORTS.items():
        for path in sorted(Path(root).glob(f"survival/{name}/*/summary.json")):
            summary = json.loads(path.read_text())
            with (path.parent / "scores.csv").open(newline="") as file:
                yield title, summary["endpoint"]["name"], list(csv.DictReader(file))


def cell(score, delta=False):
    names = ("delta_to_age", "delta_low", "delta_high") if delta else ("value", "low", "high")
    sign = "+" if delta else ""
    value, low, high = (format(float(score[name]), f"{sign}.3f") for name in names)
    return f"{value} [{low}, {high}]"


def lines(title, endpoint, scores):
    """Age alone, the ensemble of each block, and of the last block also the selected and the highest head."""
    primary = PRIMARY[endpoint]
    found = [s for s in scores if s["metric"] == primary and s["head"] != "majority"]
    c_index = {(s["head"], s["block"]): s for s in scores if s["metric"] == "c_index"}
    reference = found[0]
    blocks = list(dict.fromkeys(s["block"] for s in found))
    shown = [(reference, "age alone")]
    for block in (block for block in blocks if block != "age"):
        own = {s["head"]: s for s in found if s["block"] == block}
        shown.append((own["ensemble"], "ensemble"))
        if block == blocks[-1]:
            single = [s for s in own.values() if s["head"] not in LEADS]
            best = max(single, key=lambda s: float(s["value"]))
            shown += [(own["selected"], "selected"), (best, f"highest of {len(single)}: {best['head']}")]
    for score, name in shown:
        own_c = c_index[score["head"], score["block"]]
        delta = "reference" if score is reference else cell(score, delta=True)
        extra = "" if primary == "c_index" else cell(own_c)
        print(
            f"| {title} | {endpoint} | {score['n']} | {score['block']} | {name} | {cell(score)} | {delta} | {extra} |"
        )


def main():
    everything = sorted(read(sys.argv[1]), key=lambda found: (list(COHORTS.values()).index(found[0]), found[1]))
    with (HERE / "results.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["cohort", "endpoint", *KEPT])
        for title, endpoint, scores in everything:
            for s in (s for s in scores if s["metric"] in METRICS):
                numbers = [f"{float(s[name]):.3f}" if "." in s[name] else s[name] for name in KEPT]
                writer.writerow([title, endpoint, *numbers])
    print("| patients | endpoint | n | inputs | head | AUC / accuracy / C | Δ to age alone | C-index |")
    print("|---|---|---|---|---|---|---|---|")
    for title, endpoint, scores in everything:
        lines(title, endpoint, scores)


if __name__ == "__main__":
    main()
