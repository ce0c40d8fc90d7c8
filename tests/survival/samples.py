"""Small censored samples with ties."""

import numpy as np


def censored(seed: int, n: int = 80, ties: bool = True, slope: float = 0.8) -> tuple[np.ndarray, ...]:
    """`inputs` (n, 3), `time` in days, `event` bool; the first column raises the hazard."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(n, 3))
    time = rng.exponential(400 * np.exp(-slope * inputs[:, 0]))
    end = rng.exponential(1200, n)
    event = time <= end
    time = np.minimum(time, end)
    return inputs, (np.ceil(time / 60) * 60 if ties else time + 1e-3), event
