"""Seeds from seeds: every draw in the package names what it depends on."""

from __future__ import annotations

import numpy as np


def derive_seed(*parts: int) -> int:
    """A 63-bit seed from non-negative integers, the same on every machine and in every process."""
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> 1)
