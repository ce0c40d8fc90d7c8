"""A study → one self-contained HTML page."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from glioma_os import NOTICE, __version__
from glioma_os.errors import CONTROL
from glioma_os.volumes.atomic import atomic_write

METRIC_NAMES = {
    "auc": "AUC", "f1_weighted": "F1 (weighted)", "f1_macro": "F1 (macro)", "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy", "c_index": "C-index", "c_uno": "Uno's C",
    "spearman": "Spearman ρ", "td_auc": "Dynamic AUC", "ibs": "Integrated Brier", "brier": "Brier",
    "mse_days2": "MSE, days²", "median_se_days2": "Median SE, days²",
}  # fmt: skip


@dataclass(frozen=True)
class ComparisonRow:
    """A published result and this study's, for one metric of one arm."""

    arm: str
    metric: str
    published: str
    obtained: str
    interval: str
    age_only: str
    difference: str
    n: int


@dataclass(frozen=True)
class ScoreRow:
    """One configuration of the score table; cells are ready to print."""

    head: str
    block: str
    cells: tuple[tuple[str, str], ...]  # value, interval; differences to age and without features last
    emphasis: bool


@dataclass(frozen=True)
class ArmPage:
    """What the report shows of one arm."""

    name: str
    subtitle: str
    headline: str
    flow: list[tuple[str, int]]
    metrics: tuple[str, ...]
    scores: list[ScoreRow]
    facts: list[tuple[str, str]]
    groups: list[tuple[str, int, float, str]]
    figures: list[str] = field(default_factory=list)
    forest: str = ""
    dice: str = ""
    dice_text: str = ""
    overlays: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    judgement: list[tuple[str, str]] = field(default_factory=list)
    subgroups: list[tuple[str, int, int, str]] = field(default_factory=list)
    checklist: list[tuple[str, str, str]] = field(default_factory=list)


def render(title: str, lead: str, comparison: list[ComparisonRow], pages: list[ArmPage],
           provenance: list[tuple[str, str]], created: str) -> str:  # fmt: skip
    """The page's HTML; everything it needs is inside it."""
    values: dict[str, Any] = {
        "title": title, "lead": lead, "comparison": comparison, "pages": pages, "provenance": provenance,
        "created": created, "notice": NOTICE, "version": __version__, "metric_names": METRIC_NAMES,
    }  # fmt: skip
    return page("report.html.j2", values)


def page(template: str, values: dict[str, Any]) -> str:
    """A template of this folder, filled; a value it lacks is an error, and text is escaped."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    return CONTROL.sub("\N{REPLACEMENT CHARACTER}", environment.get_template(template).render(values))


def write_report(path: Path, html: str) -> None:
    """Writes the page atomically."""
    atomic_write(path, html.encode())
