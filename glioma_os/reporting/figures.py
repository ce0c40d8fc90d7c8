"""The report's figures: arrays in, one self-contained `<svg>` or data URI out."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, ParamSpec

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from glioma_os.records import Array
from glioma_os.survival.calibration import Reliability
from glioma_os.survival.curves import kaplan_meier
from glioma_os.survival.horizon import CalibrationCurve
from glioma_os.survival.instability import instability as measure_instability

INK, MUTED, BLUE, RED, GREEN, AMBER = "#1d2733", "#7b8794", "#1f6f9f", "#b4432f", "#3b8254", "#c98a1b"
P = ParamSpec("P")
STYLE: Any = {
    "font.family": "sans-serif", "font.size": 9, "axes.edgecolor": MUTED, "axes.labelcolor": INK, "text.color": INK,
    "xtick.color": MUTED, "ytick.color": MUTED, "axes.spines.top": False, "axes.spines.right": False,
    "axes.titlesize": 10, "axes.titleweight": "bold", "axes.titlelocation": "left", "legend.frameon": False,
    "svg.hashsalt": "glioma_os", "svg.fonttype": "path", "figure.constrained_layout.use": True,
}  # fmt: skip
DAYS_PER_MONTH = 30.4375
REGION_COLOURS = {4: (0.98, 0.80, 0.18), 1: (0.85, 0.24, 0.20), 2: (0.25, 0.60, 0.85)}  # ET, rest of TC, rest of WT


def _figure(width: float, height: float) -> Figure:
    return Figure(figsize=(width, height), layout="constrained")


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    return text.getvalue()[text.getvalue().index("<svg") :]


def _with_style(draw: Callable[P, str]) -> Callable[P, str]:
    @wraps(draw)
    def inner(*args: P.args, **options: P.kwargs) -> str:
        with matplotlib.rc_context(STYLE):
            return draw(*args, **options)

    return inner


@_with_style
def km_by_risk(time: Array, event: Array, high: Array, p_value: float, title: str) -> str:
    """Kaplan–Meier of the patients with a higher predicted risk, `high` (n,) bool, and of the others, with 95 % bands
    and numbers at risk. A group without patients is not drawn."""
    figure = _figure(3.6, 3.6)
    axes, table = figure.subplots(2, 1, height_ratios=(5, 1), sharex=True)
    limit = float(np.percentile(time, 97)) / DAYS_PER_MONTH
    step = max(6, 6 * round(limit / 36))
    ticks = np.arange(0, limit + step, step)
    for row, (group, name, colour) in enumerate(((~high, "lower risk", BLUE), (high, "higher risk", RED))):
        if not group.any():
            continue
        curve = kaplan_meier(time[group], event[group])
        months = np.concatenate([[0], curve.times]) / DAYS_PER_MONTH
        axes.step(months, np.concatenate([[1], curve.survival]), where="post", color=colour, lw=1.8,
                  label=f"{name} (n = {group.sum()}, {event[group].sum()} deaths)")  # fmt: skip
        axes.fill_between(months, np.concatenate([[1], curve.low]), np.concatenate([[1], curve.high]), step="post",
                          color=colour, alpha=0.13, lw=0)  # fmt: skip
        for tick in ticks:
            count = int((time[group] >= tick * DAYS_PER_MONTH).sum())
            table.text(tick, 1 - row, str(count), ha="center", va="center", color=colour, fontsize=8)
    axes.set(ylim=(0, 1.02), ylabel="overall survival", title=title)
    axes.legend(loc="upper right", title=f"log-rank p = {p_value:.3g}", title_fontsize=7.5, fontsize=7.5)
    table.set(ylim=(-0.6, 1.6), xlim=(-0.6, ticks[-1] + 0.6), xticks=ticks, yticks=[], xlabel="months")
    table.set_title("patients at risk", fontsize=7.5, fontweight="normal", color=MUTED)
    for side in ("left", "bottom"):
        table.spines[side].set_visible(False)
    return _svg(figure)


@_with_style
def roc(curves: Sequence[tuple[str, Array, Array, str, str]], title: str) -> str:
    """ROC curves: (name, false-positive rates, true-positive rates, "AUC .74 [.66, .81]", colour)."""
    figure = _figure(3.6, 3.6)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=MUTED, lw=0.8, ls=":")
    for name, x, y, text, colour in curves:
        axes.plot(x, y, color=colour, lw=1.8, label=f"{name}\n{text}")
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal", title=title,
             xlabel="false-positive rate", ylabel="true-positive rate")  # fmt: skip
    axes.legend(loc="lower right", fontsize=7.5)
    return _svg(figure)


@_with_style
def calibration(
    bins: Reliability, text: str, title: str, outcome: str = "short survival", curve: CalibrationCurve | None = None
) -> str:
    """Observed against predicted risk of the outcome: groups with their intervals, the ideal as a line, and the
    smooth calibration curve with its band where there is one."""
    figure = _figure(3.6, 3.6)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=MUTED, lw=0.8, ls=":")
    if curve is not None:
        axes.plot(curve.predicted, curve.observed, color=BLUE, lw=1.6)
        axes.fill_between(curve.predicted, curve.low, curve.high, color=BLUE, alpha=0.13, lw=0)
    below, above = np.maximum(bins.observed - bins.low, 0), np.maximum(bins.high - bins.observed, 0)
    axes.errorbar(bins.predicted, bins.observed, yerr=[below, above], color=BLUE, fmt="o", lw=1.2, capsize=2, ms=5)
    axes.text(0.03, 0.97, text, va="top", fontsize=8)
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xlabel=f"predicted probability of {outcome}",
             ylabel="observed frequency", title=title)  # fmt: skip
    return _svg(figure)


@_with_style
def instability(original: Array, bootstrap: Array, title: str) -> str:
    """Predictions of bootstrap models (B, n) against the model's own (n,), with each patient's 95 % range and the mean
    absolute prediction error (Riley & Collins 2023)."""
    found = measure_instability(original, bootstrap)
    figure = _figure(3.6, 3.6)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=MUTED, lw=0.8, ls=":")
    # Thousands of dots as vectors would make the page heavy: they are drawn as pixels.
    axes.plot(np.broadcast_to(original, bootstrap.shape).ravel(), np.ravel(bootstrap), ".", color=MUTED, ms=1.5,
              alpha=0.25, mew=0, rasterized=True)  # fmt: skip
    order = np.argsort(original, kind="stable")
    axes.fill_between(original[order], found.low[order], found.high[order], color=BLUE, alpha=0.2, lw=0)
    text = f"MAPE {found.average_error:.3f}\n{len(bootstrap)} bootstrap models, n = {len(original)}"
    axes.text(0.03, 0.97, text, va="top", fontsize=8)
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xlabel="prediction of the model",
             ylabel="predictions of the bootstrap models", title=title)  # fmt: skip
    return _svg(figure)


@_with_style
def decision(
    thresholds: Array, model: Array, by_age: Array, treat_all: Array, title: str, outcome: str = "short survival"
) -> str:
    """Net benefit against the threshold probability of the outcome: of the model, of age alone, of treating all or
    none; a gap where it is undefined (NaN)."""
    figure = _figure(3.6, 3.6)
    axes = figure.subplots()
    axes.axhline(0, color=MUTED, lw=0.8, ls=":", label="treat none")
    for values, colour, label in (
        (treat_all, MUTED, "treat all"),
        (by_age, AMBER, "age alone"),
        (model, BLUE, "model"),
    ):
        axes.plot(thresholds, values, color=colour, lw=1.6, label=label)
    top = float(np.nanmax([model, treat_all, by_age]))
    axes.set(ylim=(-0.1, top * 1.1 + 0.02), xlabel=f"threshold probability of {outcome}", ylabel="net benefit",
             title=title)  # fmt: skip
    axes.legend(frameon=False, fontsize=8)
    return _svg(figure)


@_with_style
def forest(rows: Sequence[tuple[str, float, float, float, bool]], title: str, label: str, reference: float) -> str:
    """One line a configuration: (name, value, low, high, emphasised), against a reference line."""
    figure = _figure(6.2, 0.9 + 0.24 * len(rows))
    axes = figure.subplots()
    axes.axvline(reference, color=MUTED, lw=0.8, ls=":")
    for place, (_, value, low, high, strong) in enumerate(rows):
        colour = BLUE if strong else MUTED
        axes.plot([low, high], [-place, -place], color=colour, lw=1.6)
        axes.plot(value, -place, "o", color=colour, ms=5)
    axes.set_yticks([-place for place in range(len(rows))], [row[0] for row in rows], color=INK)
    axes.set(xlabel=label, title=title, ylim=(-len(rows) + 0.4, 0.6))
    return _svg(figure)


@_with_style
def dice_boxes(values: dict[str, Array], title: str) -> str:
    """Every held-out case's Dice as a dot over a box, one column a region."""
    figure = _figure(3.4, 3.0)
    axes = figure.subplots()
    rng = np.random.default_rng(0)
    for place, dice in enumerate(values.values()):
        axes.boxplot(dice, positions=[place], widths=0.5, showfliers=False, medianprops={"color": BLUE, "lw": 1.8},
                     boxprops={"color": MUTED}, whiskerprops={"color": MUTED}, capprops={"color": MUTED})  # fmt: skip
        axes.plot(place + rng.uniform(-0.16, 0.16, len(dice)), dice, "o", ms=2.6, color=BLUE, alpha=0.45, mew=0)
        axes.text(place, 1.04, f"{np.mean(dice):.2f}", ha="center", fontsize=8, color=INK)
    axes.set_xticks(range(len(values)), [name.upper() for name in values])
    axes.set(ylim=(0, 1.1), ylabel="Dice", title=title)
    return _svg(figure)


def overlay(planes: Array) -> str:
    """PNG data URI of a slice (3, H, W): image under the filled prediction, the reference as an outline."""
    import matplotlib.image

    shown = [np.flatnonzero(planes[0].any(axis=axis)) for axis in (1, 0)]
    box = tuple(slice(max(0, places[0] - 2), places[-1] + 3) for places in shown)
    image, predicted, reference = (plane[box].T.astype(np.uint8) for plane in planes)
    rgb = np.repeat(image[..., None] / 255.0, 3, axis=2)
    for bits, colour in ((2, REGION_COLOURS[2]), (1, REGION_COLOURS[1]), (4, REGION_COLOURS[4])):
        area = (predicted & bits) > 0
        rgb[area] = 0.55 * rgb[area] + 0.45 * np.array(colour)
    scale = max(1, round(240 / max(image.shape)))
    rgb = rgb.repeat(scale, 0).repeat(scale, 1)
    whole = ((reference & 2) > 0).repeat(scale, 0).repeat(scale, 1)
    edge = whole & ~(np.roll(whole, 1, 0) & np.roll(whole, -1, 0) & np.roll(whole, 1, 1) & np.roll(whole, -1, 1))
    rgb[edge] = 1.0
    buffer = io.BytesIO()
    matplotlib.image.imsave(buffer, np.clip(rgb, 0, 1), format="png")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
