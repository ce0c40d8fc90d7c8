"""Peers and ours side by side in one run, in turn, medians: `make bench`.

Writes a table, a figure and all numbers under results/, named after the processor, and puts the table into README.md.
`bench.py samples steps` measures those groups alone and renews their rows; a group's peers are always measured with it.
"""

import importlib.util
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import fit_arms
import head_arms
import matplotlib
import network_arms
import sample_arms
import sweep_arms
import torch
from turns import Arm, Measured, in_turn

from glioma_os.cohorts.synthetic import synthetic_cohort
from glioma_os.training.options import TrainerOptions

HERE = Path(__file__).parent
HAS_BF16 = TrainerOptions().resolved_precision() == "bf16-mixed"


@dataclass(frozen=True)
class Goal:
    """`ours` is to be `times` faster than `peer`; both are names of arms. `bf16`: by a processor that multiplies it."""

    what: str
    peer: str
    ours: str
    times: float | None
    bf16: bool = False

    def verdict(self, ratio):
        if self.times is None:
            return ""
        reason = ", no bf16 here" if self.bf16 and not HAS_BF16 and ratio < self.times else ""
        return _held(ratio >= self.times) + reason


def _command(*words):
    return lambda: subprocess.run([sys.executable, *words], check=True, capture_output=True)


def samples(folder):
    """Arms, rounds and goals, as of every group below."""
    arms = {
        "MONAI bundle transforms": Arm(sample_arms.monai_plain),
        "MONAI CacheDataset, 2 workers": Arm(sample_arms.monai_cache, (), sample_arms.CASES * sample_arms.LAPS),
        "MONAI PersistentDataset": Arm(sample_arms.monai_persistent, (folder,)),
        "TorchIO Queue": Arm(sample_arms.torchio_queue, (), sample_arms.CASES * sample_arms.LAPS),
        "ours": Arm(sample_arms.ours, (folder,), sample_arms.CASES * sample_arms.LAPS),
        "ours, half the cases": Arm(
            sample_arms.ours, (folder, sample_arms.CASES // 2), sample_arms.CASES * sample_arms.LAPS
        ),
        "ours, each with TorchIO's MR physics": Arm(sample_arms.ours_with_physics, (folder,)),
    }
    times = {
        "MONAI bundle transforms": 60,
        "MONAI PersistentDataset": None,
        "MONAI CacheDataset, 2 workers": 8,
        "TorchIO Queue": 15,
    }
    if importlib.util.find_spec("nnunetv2"):
        arms["nnU-Net v2 crop"] = Arm(sample_arms.nnunet_crop, (folder,), sample_arms.CASES * sample_arms.LAPS)
        times["nnU-Net v2 crop"] = 5
    return arms, 8, [Goal("training sample 4×128³", peer, "ours", goal) for peer, goal in times.items()]


def cases(folder):
    arms = {
        "the bundle's window, fp32": Arm(network_arms.bundle_inference),
        "regions": Arm(network_arms.our_inference, (folder,)),
        "latents": Arm(network_arms.our_latents, (folder,)),
    }
    peer = "the bundle's window, fp32"
    return (
        arms,
        3,
        [
            Goal("whole case → regions", peer, "regions", 12, bf16=True),
            Goal("whole case → latents", peer, "latents", 20, bf16=True),
        ],
    )


def steps(folder):
    arms = {"fp32": Arm(network_arms.reference_step), "ours": Arm(network_arms.our_step)}
    return arms, 4, [Goal("training step 4×96³", "fp32", "ours", 2.5, bf16=True)]


def compiled(folder):
    """Not in the table: compiling takes minutes."""
    arms = {"ours": Arm(network_arms.our_step), "ours, compiled": Arm(network_arms.our_compiled_step)}
    return arms, 2, []


def lightning(folder):
    arms = {
        "bare loop": Arm(fit_arms.bare_loop, (), fit_arms.STEPS),
        "a fit": Arm(fit_arms.lightning_fit, (), fit_arms.STEPS),
    }
    return arms, 3, []


def heads(folder):
    few, many = 5, head_arms.FITS
    arms = {
        "a Lightning fit each": Arm(head_arms.lightning_fits, (few,), few / many),
        "ours, one at a time": Arm(head_arms.one_by_one, (few,), few / many),
        "ours": Arm(head_arms.batched, (many,)),
    }
    return arms, 3, [Goal("500 MLP heads", "a Lightning fit each", "ours", 100)]


def bootstrap(folder):
    arms = {
        "scikit-survival in a loop": Arm(head_arms.scikit_survival, (600, 50), 50 / 2000),
        "ours": Arm(head_arms.vectorised, (600, 2000)),
    }
    return arms, 3, [Goal("2,000 replicates of C, AUC, IBS, n = 600", "scikit-survival in a loop", "ours", 50)]


def start(folder):
    arms = {
        "import torch, lightning, monai": Arm(_command, ("-c", "import torch, lightning, monai")),
        "ours": Arm(_command, ("-m", "glioma_os", "--help")),
    }
    return arms, 4, [Goal("`glioma-os --help`", "import torch, lightning, monai", "ours", 8)]


def sweep(folder):
    """Once, since a second time nothing is left to do."""
    arms = {
        "its distinct stages": Arm(sweep_arms.distinct_stages, (folder,)),
        "ours": Arm(_command, ("-m", "glioma_os", "-m", *sweep_arms.words(folder, "sweep"))),
    }
    return arms, 0, []


TABLE = (samples, cases, steps, lightning, heads, bootstrap, start, sweep)
GROUPS = {group.__name__: group for group in (*TABLE, compiled)}


def table(measured, goals):
    """One row a goal, then what has no peer."""
    rows = ["| what | peer | peer, ms | ours, ms | ratio | goal | |", "|---|---|---|---|---|---|---|"]
    for name, goal in goals:
        theirs, own = measured[name][goal.peer].ms, measured[name][goal.ours].ms
        ratio = f"{theirs / own:.1f}× | {goal.times or '–'}{'×' if goal.times else ''}"
        rows.append(
            f"| {goal.what} | {goal.peer} | {theirs:,.1f} | {own:,.1f} | {ratio} | {goal.verdict(theirs / own)} |"
        )
    return "\n".join(rows + [""] + [line for line in _beside(measured) if line])


def _held(so):
    return "reached" if so else "**missed**"


def _beside(measured):
    """Costs and memory."""
    found = measured.get("samples")
    if found:
        own, half, cache = (found[n].own_mb for n in ("ours", "ours, half the cases", "MONAI CacheDataset, 2 workers"))
        n = sample_arms.CASES
        verdict = _held(8 * own <= cache)
        yield f"- Loader's own memory, {n} cases: CacheDataset {cache:.0f} MB, ours {own:.0f} MB (goal 1/8): {verdict}."
        yield f"- Flat in the number of cases: {half:.0f} MB with {n // 2}, {own:.0f} MB with {n}."
        physics, plain = found["ours, each with TorchIO's MR physics"].ms, found["ours"].ms
        yield f"- A sample with one of TorchIO's MR artefacts: {physics:.0f} ms against {plain:.1f} ms without."
    if "heads" in measured:
        seconds = {arm: found.ms / 1e3 for arm, found in measured["heads"].items()}
        alone, together = seconds["ours, one at a time"], seconds["ours"]
        yield f"- Our own MLP heads: {alone:.0f} s one at a time, {together:.1f} s in one program."
    if "lightning" in measured and "steps" in measured:
        extra = measured["lightning"]["a fit"].ms - measured["lightning"]["bare loop"].ms
        share = extra / measured["steps"]["ours"].ms
        verdict = _held(share <= 0.03)
        added = f"{extra:.1f} ms, {share:.1%} of a step of 96³"
        yield f"- Lightning, guards, curves, checkpoint: {added} (goal 3 %): {verdict}."
    if "sweep" in measured:
        seconds = {arm: found.ms / 1e3 for arm, found in measured["sweep"].items()}
        share = seconds["ours"] / seconds["its distinct stages"]
        own, distinct = (f"{seconds[arm]:.0f} s" for arm in ("ours", "its distinct stages"))
        told = f"{own}, its distinct stages one after the other {distinct}; {share:.2f} of them (goal 1.15)"
        yield f"- A sweep of 24 jobs: {told}: {_held(share <= 1.15)}."


def figure(measured, goals, path):
    """Ratios with their goals, logarithmic."""
    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    shown = [
        (f"{g.what}\nvs {g.peer}", measured[n][g.peer].ms / measured[n][g.ours].ms, g.times)
        for n, g in goals
        if g.times
    ]
    canvas, axes = plt.subplots(figsize=(8, 0.55 * len(shown) + 0.8), layout="constrained")
    for place, (_, ratio, times) in enumerate(reversed(shown)):
        axes.barh(place, ratio, color="#33669a" if ratio >= times else "#b2543a", height=0.6)
        axes.plot([times, times], [place - 0.38, place + 0.38], color="black", lw=2)
        axes.annotate(
            f"{ratio:.0f}×" if ratio >= 10 else f"{ratio:.1f}×",
            (ratio, place),
            (4, -3),
            textcoords="offset points",
            fontsize=8,
        )
    axes.set(xscale="log", xlabel="times faster; black: the goal", yticks=range(len(shown)))
    axes.set_yticklabels([label for label, *_ in reversed(shown)], fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    canvas.savefig(path, metadata={"Date": None})


def _cases(folder):
    real = Path(os.environ.get("GLIOMA_OS_REAL_DATA", "../shared/data")) / "brats2018"
    if real.is_dir():
        return real, "real"
    cohort = synthetic_cohort("brats2020", folder, sample_arms.CASES, 0.7, spacing_mm=1.0)
    return next(iter(cohort.cases()[0].images.values())).parents[1], "drawn"


def _processor():
    """Its name, and what it can do for a network."""
    with open("/proc/cpuinfo") as file:
        found = re.search(r"model name\s*: (.+)", file.read())
    name = found[1] if found else platform.machine()
    return f"{name}, {torch.backends.cpu.get_cpu_capability()}, {'bf16' if HAS_BF16 else 'no bf16'}"


def _goals(groups):
    return [(name, goal) for name in groups for goal in GROUPS[name]("")[2]]


def _write(measured, run, processor):
    """What was measured anew in the results of this processor; other processors' and other groups' stay."""
    name = re.sub(r"\W+", "_", processor).lower()
    path = HERE / "results" / f"{name}.json"
    told = json.loads(path.read_text()) if path.exists() else {}
    told |= {group: {arm: asdict(found) for arm, found in arms.items()} for group, arms in measured.items()}
    told = {group.__name__: told[group.__name__] for group in TABLE if group.__name__ in told}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(told, indent=1) + "\n")
    known = {group: {arm: Measured(**found) for arm, found in arms.items()} for group, arms in told.items()}
    figure(known, _goals(known), path.with_suffix(".svg"))
    block = f"### {processor}\n\n{table(known, _goals(known))}\n{run}\n\n![ratios](results/{name}.svg)\n\n"
    readme = (HERE / "README.md").read_text()
    old = re.search(rf"### {re.escape(processor)}\n.*?(?=^##)", readme, re.S | re.M)
    start, end = old.span() if old else [readme.index("## What each speed is held to")] * 2
    (HERE / "README.md").write_text(readme[:start] + block + readme[end:])


def main(names):
    began, measured, processor = time.monotonic(), {}, _processor()
    names = names or [group.__name__ for group in TABLE]
    with tempfile.TemporaryDirectory() as folder:
        place, kind = _cases(folder)
        os.environ["GLIOMA_OS_BENCH_CASES"] = str(place)
        sample_arms.stored_volumes(folder, sample_arms.CASES)  # once, as by stage=prepare
        for name in names:
            arms, rounds, _ = GROUPS[name](folder)
            measured[name] = in_turn(arms, rounds)
            print(*(f"{name}: {arm} {found.ms:,.1f} ms" for arm, found in measured[name].items()), sep="\n", flush=True)
            minutes, load = (time.monotonic() - began) / 60, os.getloadavg()[0]
            run = f"- {kind.capitalize()} cases, {torch.get_num_threads()} threads, load {load:.1f}; "
            run += f"{', '.join(measured)} in {minutes:.0f} min."
            if GROUPS[name] in TABLE:  # at once: a run that is cut off keeps what it has
                _write(measured, run, processor)
    print(f"\n{table(measured, _goals(measured))}\n{run}")


if __name__ == "__main__":
    main(sys.argv[1:])
