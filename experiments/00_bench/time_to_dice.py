"""Whole-tumour Dice after equal time: ten cases of data/brats2018 to learn from, four to be judged on, two cores.

`time_to_dice.py MINUTES TUNING_MINUTES`. The clock of every arm begins before its first file is read and stands
still while nothing but snapshots is written; these are judged afterwards on the scanner's grid, each as its recipe
does. Without tuning: 128³ crops, the foreground in one window. Writes time_to_dice.json and time_to_dice.svg, prints
the table.
"""

import json
import multiprocessing
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import matplotlib
import numpy as np
from dice_arms import BUNDLE, FOREGROUND, judged_ours, judged_reference, ours, reference

HERE = Path(__file__).parent
CROPS = (64, 96, 128)


def _alone(function, *arguments):
    """In a process of its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(function, *arguments).result()


def _mean(judged):
    return {second: float(np.mean(values)) for second, values in judged.items()}


def tuned(folder, seconds):
    """(crop, window) of the reference with the best Dice after `seconds`, and what all came to."""
    found, last = {}, {}
    for crop in CROPS:
        last[crop], steps = _alone(reference, folder, seconds, seconds, crop)
        _try(found, folder, last[crop], crop, (crop,) * 3, steps)
    best, _ = max(found, key=found.get)
    for window in (FOREGROUND, BUNDLE):
        _try(found, folder, last[best], best, window, "the same")
    return max(found, key=found.get), found


def _try(found, folder, taken, crop, window, steps):
    (found[crop, window],) = _mean(_alone(judged_reference, folder, taken, window)).values()
    print(f"tuning: crop {crop}, {steps} steps, window {window}: WT {found[crop, window]:.3f}", flush=True)


def race(folder, seconds, crop, window):
    """Name → (steps, second → Dice of each of the four), an arm more at a time."""
    every, found = seconds / 5, {}

    def referred(*changed):
        taken, steps = _alone(reference, folder, seconds, every, crop, *changed)
        return steps, _alone(judged_reference, folder, taken, window)

    def own():
        taken, steps = _alone(ours, folder, seconds, every)
        return steps, _alone(judged_ours, folder, taken)

    for name, arm in {
        f"MONAI reference, {crop}³ crops at 1 mm, fp32": referred,
        "ours, defaults of experiment=real_mini: brain boxes at 2 mm": own,
        "the reference with our rate and objective": partial(referred, 1e-3, True),
    }.items():
        found[name] = arm()
        _tell(name, *found[name])
        yield found


def _tell(name, steps, judged):
    print(name, steps, {round(second): round(dice, 3) for second, dice in _mean(judged).items()}, flush=True)


def figure(found, path):
    """Dice over minutes."""
    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    canvas, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for name, (_, judged) in found.items():
        axes.plot([second / 60 for second in judged], list(_mean(judged).values()), marker="o", label=name)
    axes.set(xlabel="minutes on two cores, reading included", ylabel="whole-tumour Dice, 4 cases", ylim=(0, 1))
    axes.legend(fontsize=8, loc="upper left")
    axes.spines[["top", "right"]].set_visible(False)
    canvas.savefig(path, metadata={"Date": None})


def main(minutes, tuning_minutes):
    with tempfile.TemporaryDirectory() as folder:
        (crop, window), tuning = tuned(folder, 60 * tuning_minutes) if tuning_minutes else ((128, FOREGROUND), {})
        tries = [{"crop": crop, "window": window, "dice": dice} for (crop, window), dice in tuning.items()]
        for found in race(folder, 60 * minutes, crop, window):
            told = {name: {"steps": steps, "dice": judged} for name, (steps, judged) in found.items()}
            (HERE / "time_to_dice.json").write_text(json.dumps({"tuning": tries, "race": told}, indent=1) + "\n")
            figure(found, HERE / "time_to_dice.svg")
            print(f"\n{table(found, minutes)}\n", flush=True)


def table(found, minutes):
    """One row a recipe."""
    times = "".join(f" {k * minutes / 5:.0f} min |" for k in range(1, 6))
    rows = [f"| recipe | steps |{times} each of the four |", "|---|---|" + "---|" * 6]
    for name, (steps, judged) in found.items():
        last = ", ".join(f"{value:.2f}" for value in list(judged.values())[-1])
        rows.append(
            f"| {name} | {steps} |" + "".join(f" {dice:.3f} |" for dice in _mean(judged).values()) + f" {last} |"
        )
    return "\n".join(rows)


if __name__ == "__main__":
    main(float(sys.argv[1]), float(sys.argv[2]))
