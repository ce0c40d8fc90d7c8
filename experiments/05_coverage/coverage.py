"""How often do the 95 % intervals hold the truth? coverage.py [COHORTS]: cohorts of 118 drawn from a known law."""

import sys

import numpy as np

from glioma_os.survival.bootstrap import METRICS, Sample, bootstrap_weights, interval
from glioma_os.survival.resampling import bca_interval, jackknife_weights

N, CUT_DAYS, LAST_DAYS = 118, 370.0, 1800.0
METHODS = ("percentile", "BCa")
TARGETS = ("AUC", "C", "Δ AUC", "Δ C")


def draw(n, rng):
    """Two scores of one cohort: age-like and fused; log survival follows both, a few are censored at the end."""
    age, image = rng.normal(size=(2, n))
    time = np.exp(5.9 - 0.35 * age - 0.35 * image + rng.normal(0, 0.8, n))
    event, time = time <= LAST_DAYS, np.minimum(time, LAST_DAYS)
    classes = (time >= CUT_DAYS).astype(int)
    own = np.zeros((n, 2))
    return [Sample(time, event, risk, classes, own) for risk in (age + image + rng.normal(0, 0.5, n), age)]


def values(samples, weights):
    """The four targets under weights (B, n), (B, 4)."""
    (auc, base_auc), (c, base_c) = ([METRICS[name](s, weights) for s in samples] for name in ("auc", "c_index"))
    return np.stack([auc, c, auc - base_auc, c - base_c], axis=1)


def coverage(cohorts, replicates=1000, seed=0):
    """Share of cohorts whose interval holds the truth: method → (4,)."""
    rng = np.random.default_rng(seed)
    large = draw(6000, rng)
    truth = values(large, np.ones((1, 6000)))[0]
    held = {method: np.zeros(4) for method in METHODS}
    left_out = jackknife_weights(N)
    for number in range(cohorts):
        samples = draw(N, rng)
        point = values(samples, np.ones((1, N)))[0]
        drawn = values(samples, bootstrap_weights(N, replicates, number))
        once = values(samples, left_out)
        for k in range(4):
            low, high = interval(drawn[:, k])[:2]
            held["percentile"][k] += low <= truth[k] <= high
            low, high = bca_interval(drawn[:, k], point[k], once[:, k])
            held["BCa"][k] += low <= truth[k] <= high
    return truth, {method: share / cohorts for method, share in held.items()}


def main():
    cohorts = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    truth, found = coverage(cohorts)
    print(f"| method | {' | '.join(f'{t} ({v:.3f})' for t, v in zip(TARGETS, truth, strict=True))} |")
    print("|---|---|---|---|---|")
    for method, share in found.items():
        print(f"| {method} | {' | '.join(f'{s:.1%}' for s in share)} |")


if __name__ == "__main__":
    main()
