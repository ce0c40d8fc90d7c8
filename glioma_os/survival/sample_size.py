"""How many patients a model of so many parameters needs."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from glioma_os.errors import ConfigError
from glioma_os.records import Array


def riley_patients(parameters: int, r_squared: float, shrinkage: float = 0.9) -> int:
    """Patients for an expected shrinkage of `shrinkage` (Riley 2020, criterion 1), Cox–Snell R² expected."""
    if not (0 < r_squared < 1 and 0 < shrinkage < 1 and parameters > 0):
        raise ConfigError("sample size", f"R² {r_squared}, shrinkage {shrinkage}", "Both in (0, 1)")
    return int(np.ceil(parameters / ((shrinkage - 1) * np.log(1 - r_squared / shrinkage))))


def r_squared_of_auc(auc: float, prevalence: float, draws: int = 20_000) -> float:
    """Cox–Snell R² of a binary model with this AUC and prevalence (Riley 2021): normal scores, the same spread in both.

    The scores are normal quantiles, not random draws, so that the answer is the same each time.
    """
    if not (0.5 < auc < 1 and 0 < prevalence < 1):
        raise ConfigError("sample size", f"AUC {auc}, prevalence {prevalence}", "AUC in (½, 1), prevalence in (0, 1)")
    gap = np.sqrt(2) * norm.ppf(auc)
    positives = max(round(draws * prevalence), 1)

    def quantiles(n: int) -> Array:
        return norm.ppf((np.arange(n) + 0.5) / n)

    score = np.concatenate([quantiles(positives) + gap, quantiles(draws - positives)])
    happened = np.arange(draws) < positives
    # With equal spreads the log-odds is linear in the score: slope gap, intercept by Bayes' rule.
    log_odds = gap * score - gap**2 / 2 + np.log(prevalence / (1 - prevalence))
    model = np.sum(happened * log_odds - np.logaddexp(0.0, log_odds))
    null = draws * (prevalence * np.log(prevalence) + (1 - prevalence) * np.log(1 - prevalence))
    return float(1 - np.exp(-2 * (model - null) / draws))
