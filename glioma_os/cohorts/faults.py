"""Many faults of one table in one DataError."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from glioma_os.errors import DataError

MOST_LISTED = 30  # faults that one message lists
Line = TypeVar("Line")
Read = TypeVar("Read")


def raise_faults(path: Path, faults: Sequence[DataError]) -> None:
    """Nothing without faults; one as it is; several in one DataError that lists them."""
    if not faults:
        return
    if len(faults) == 1:
        raise faults[0]
    lines = [str(fault).removeprefix(f"{path}, ").removeprefix(f"{path}: ") for fault in faults[:MOST_LISTED]]
    lines += [f"and {len(faults) - MOST_LISTED} more"] * (len(faults) > MOST_LISTED)
    raise DataError(path, f"{len(faults)} rows found that cannot be read", "\n  ".join(["Correct them:", *lines]))


def each_row(path: Path, rows: Iterable[Line], read: Callable[[Line], Read]) -> list[Read]:
    """`read` of every row; what it says of rows that it cannot read stands in one DataError, not one row a run."""
    out, faults = [], []
    for row in rows:
        try:
            out.append(read(row))
        except DataError as fault:
            faults.append(fault)
    raise_faults(path, faults)
    return out
