"""A bar for whatever takes seconds: live on a terminal, one line at the end elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from glioma_os.errors import printable

T = TypeVar("T")
console = Console(file=sys.stderr, highlight=False)


def new_bar(shown: bool = True) -> Progress:
    """A bar that shows only on a terminal; tasks need a `note`."""
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TimeRemainingColumn(), TextColumn("{task.fields[note]}"), console=console,
        disable=not (shown and console.is_terminal),
    )  # fmt: skip


def say(text: str) -> None:
    """One line to the user, on stderr."""
    console.print(printable(text), markup=False, soft_wrap=True)


def track(items: Iterable[T], total: int, title: str) -> Iterator[T]:
    """Yields the items under a bar; off a terminal says the title, the count and the seconds once, at the end."""
    start = time.monotonic()
    with new_bar() as bar:
        task = bar.add_task(title, total=total, note="")
        for item in items:
            yield item
            bar.advance(task)
    if not console.is_terminal:
        say(f"{title}: {total} in {time.monotonic() - start:.0f} s")
