"""The one switch between numerical shortcuts and the plain implementations that they are tested against.

A shortcut computes the same values as its plain twin but for the rounding that its own file states, so the switch is no
part of a run's key. `GLIOMA_OS_PLAIN=1` in the environment switches a whole process (and those it starts) to the plain
implementations: slower, and easier to read when a number is in doubt. The variable is read here and nowhere else.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

_plain = os.environ.get("GLIOMA_OS_PLAIN") == "1"


def is_plain() -> bool:
    """Whether plain implementations are to be used."""
    return _plain


@contextmanager
def plain(enabled: bool = True) -> Iterator[None]:
    """Plain implementations (or, with False, the shortcuts) within the block, in every thread of this process."""
    global _plain
    before, _plain = _plain, enabled
    try:
        yield
    finally:
        _plain = before
