"""Which row a result leads with, and which row each is compared with: one definition for report, sweeps, dashboards."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from glioma_os.fusion.develop import ENSEMBLE
from glioma_os.fusion.plan import AGE

Key = tuple[str, str]  # head, block
FUSED, CLINICAL = "fused", "clinical"


def leading_row(keys: Sequence[Key]) -> Key:
    """The row that represents a result: the most inputs, and the ensemble where there is one.

    `keys` in the order of a result: majority, age alone, then the heads. Chosen before any outcome is seen.
    """
    for block in (FUSED, CLINICAL):
        heads = [head for head, own in keys if own == block]
        if heads:
            return (ENSEMBLE if ENSEMBLE in heads else heads[0]), block
    return next(key for key in keys if key[1] == AGE.name)


def reference_row(key: Key, keys: Collection[Key], age: Key) -> Key | None:
    """What a row is compared with to say what its features add: the same head on the same clinical variables.

    Of fused rows the same head's clinical row (an ensemble's, or that of its only head), where more than age was used;
    else age alone. None for rows that no such contrast is made of.
    """
    head, block = key
    if block == FUSED:
        clinical = [other for other, own in keys if own == CLINICAL]
        if not clinical:
            return age
        return (head if head in clinical else clinical[0]), CLINICAL
    return None


def verdict(low: float, high: float) -> str:
    """Whether a difference was shown: its 95 % interval lies above 0, below 0, or holds 0."""
    return "gain" if low > 0 else "loss" if high < 0 else "none shown"
