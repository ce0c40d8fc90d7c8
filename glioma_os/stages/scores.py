"""The lines that a terminal shows of scores."""

from __future__ import annotations

from glioma_os.fusion.scores import Score
from glioma_os.reporting.tables import contrast, shown_metrics
from glioma_os.training.progress import say


def print_scores(scores: list[Score], title: str) -> None:
    """The table a terminal shows: one line a configuration, every number with interval, n and Δ to age only."""
    say(title)
    for name in shown_metrics(scores):
        say(f"  {name}")
        for line in (line for line in scores if line.metric == name):
            say(
                f"    {line.head:<14}{line.block:<10}{line.value:6.3f} [{line.low:.3f}, {line.high:.3f}]  "
                f"n={line.n:<4} "
                f"Δ age {line.delta_to_age:+.3f} [{line.delta_low:+.3f}, {line.delta_high:+.3f}]"
                + (f"  Δ without features {' '.join(contrast(line))}" if line.block == "fused" else "")
            )
