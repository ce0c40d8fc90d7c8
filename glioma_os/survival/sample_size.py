"""Riley's sample-size criteria: how many patients a prediction model with so many candidate parameters needs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import norm

from glioma_os.errors import ConfigError
from glioma_os.records import Array

SHRINKAGE, OPTIMISM, MARGIN, PREDICTION_ERROR = 0.9, 0.05, 0.05, 0.05
MOST_PARAMETERS = 30  # the simulations behind the fourth criterion end here (van Smeden 2019)


class Criteria(NamedTuple):
    """Patients needed by each of Riley's criteria (Riley 2020, BMJ 368:m441).

    `shrinkage`: expected uniform shrinkage ≥ 0.9; `optimism`: Nagelkerke's R² optimistic by ≤ 0.05; `overall_risk`:
    overall risk known within ± 0.05; `prediction_error`: mean absolute error of the predicted probabilities ≤ 0.05
    (None for a time to event and beyond 30 parameters, where it is not published).
    """

    shrinkage: int
    optimism: int
    overall_risk: int
    prediction_error: int | None = None

    @property
    def largest(self) -> int:
        """The number that meets all criteria."""
        return max(found for found in self if found is not None)


class OverallRisk(NamedTuple):
    """Risk by a time point under a constant event rate, with its 95 % interval."""

    risk: float
    low: float
    high: float


def _in_unit_interval(**values: float) -> None:
    for name, value in values.items():
        if not 0 < value < 1:
            raise ConfigError("sample size", f"{name} {value:g} found → in (0, 1) expected", "Correct the value")


def _at_least_one(parameters: int) -> None:
    if parameters < 1:
        raise ConfigError("sample size", f"{parameters} parameters found → 1 or more expected", "Correct the value")


def riley_patients(parameters: int, r_squared: float, shrinkage: float = SHRINKAGE) -> int:
    """Patients for an expected shrinkage of `shrinkage` (Riley 2020, criterion 1), Cox–Snell R² expected."""
    _at_least_one(parameters)
    _in_unit_interval(shrinkage=shrinkage, r_squared=r_squared)
    if r_squared >= shrinkage:
        raise ConfigError(
            "sample size", f"R² {r_squared:g} found → below the shrinkage {shrinkage:g} expected", "Use a smaller R²"
        )
    return int(np.ceil(parameters / ((shrinkage - 1) * np.log(1 - r_squared / shrinkage))))


def _optimism_patients(parameters: int, r_squared: float, largest_r_squared: float) -> int:
    """Criterion 2: the shrinkage at which apparent and adjusted Nagelkerke R² differ by ≤ 0.05."""
    if r_squared > largest_r_squared:
        raise ConfigError(
            "sample size", f"R² {r_squared:g} found → at most {largest_r_squared:.3f} expected for this outcome share",
            "Use a smaller R²",
        )  # fmt: skip
    return riley_patients(parameters, r_squared, r_squared / (r_squared + OPTIMISM * largest_r_squared))


def largest_r_squared_of_prevalence(prevalence: float) -> float:
    """Highest Cox–Snell R² that a binary outcome with this prevalence allows (Riley 2020)."""
    _in_unit_interval(prevalence=prevalence)
    null = prevalence * np.log(prevalence) + (1 - prevalence) * np.log(1 - prevalence)
    return float(1 - np.exp(2 * null))


def largest_r_squared_of_events(events_per_patient: float) -> float:
    """Highest Cox–Snell R² of a time to event, from the exponential model's likelihood (Riley 2019, equation 23)."""
    null = events_per_patient * np.log(events_per_patient) - events_per_patient
    return float(1 - np.exp(2 * null))


def binary_criteria(parameters: int, r_squared: float, prevalence: float) -> Criteria:
    """All criteria of a binary outcome (Riley 2020; `pmsampsize` type "b"), Cox–Snell R² expected.

    The fourth is the approximation of van Smeden 2019 (Stat Methods Med Res 28:2455) for up to 30 parameters.
    """
    largest = largest_r_squared_of_prevalence(prevalence)
    fourth = None
    if parameters <= MOST_PARAMETERS:
        # The regression was made for the rarer outcome: prevalences of at most one half.
        log_share = np.log(min(prevalence, 1 - prevalence))
        exponent = -0.508 + 0.259 * log_share + 0.504 * np.log(parameters) - np.log(PREDICTION_ERROR)
        fourth = int(np.ceil(np.exp(exponent / 0.544)))
    return Criteria(
        riley_patients(parameters, r_squared),
        _optimism_patients(parameters, r_squared, largest),
        int(np.ceil((1.96 / MARGIN) ** 2 * prevalence * (1 - prevalence))),
        fourth,
    )


def overall_risk(patients: float, rate: float, timepoint: float, mean_follow_up: float) -> OverallRisk:
    """Risk by `timepoint` and its interval from this many patients (`pmsampsize` type "s", criterion 3).

    `rate` in events per unit of time; `timepoint` and `mean_follow_up` in that unit.
    """
    reach = 1.96 * np.sqrt(rate / (patients * mean_follow_up))
    risk, low, high = (1 - np.exp(-(rate + shift) * timepoint) for shift in (0.0, -reach, reach))
    return OverallRisk(float(risk), float(low), float(high))


def survival_criteria(
    parameters: int, r_squared: float, rate: float, timepoint: float, mean_follow_up: float
) -> Criteria:
    """All criteria of a time to event (Riley 2019, Stat Med 38:1276; `pmsampsize` type "s"), Cox–Snell R² expected.

    `rate` in events per unit of time; `timepoint` and `mean_follow_up` in that unit. Criterion 3 is the smallest number
    of patients whose interval of the risk by `timepoint` reaches at most 0.05 to either side.
    """
    if not (rate > 0 and timepoint > 0 and mean_follow_up > 0):
        raise ConfigError(
            "sample size", f"rate {rate:g}, time point {timepoint:g}, mean follow-up {mean_follow_up:g} found → "
            "positive numbers expected", "Correct the values",
        )  # fmt: skip
    return Criteria(
        riley_patients(parameters, r_squared),
        _optimism_patients(parameters, r_squared, largest_r_squared_of_events(rate * mean_follow_up)),
        _patients_for_overall_risk(rate, timepoint, mean_follow_up),
    )


def _patients_for_overall_risk(rate: float, timepoint: float, mean_follow_up: float) -> int:
    # The lower limit is further from the risk than the upper one, so it decides: S·(exp(reach·t) − 1) = 0.05.
    survival = np.exp(-rate * timepoint)
    widest = np.log1p(MARGIN / survival) / timepoint
    return max(int(np.ceil((1.96 / widest) ** 2 * rate / mean_follow_up)), 1)


def r_squared_of_auc(auc: float, prevalence: float, draws: int = 20_000) -> float:
    """Cox–Snell R² of a binary model with this AUC and prevalence (Riley 2021): normal scores, the same spread in both.

    The scores are normal quantiles, not random draws, so that the answer is the same each time.
    """
    if not (0.5 < auc < 1 and 0 < prevalence < 1):
        raise ConfigError("sample size", f"AUC {auc}, prevalence {prevalence}", "AUC in (½, 1), prevalence in (0, 1)")
    gap = np.sqrt(2) * norm.ppf(auc)
    positives = max(round(draws * prevalence), 1)

    def quantiles(n: int) -> Array:
        return np.asarray(norm.ppf((np.arange(n) + 0.5) / n))

    score = np.concatenate([quantiles(positives) + gap, quantiles(draws - positives)])
    outcome = np.arange(draws) < positives
    # With equal spreads the log-odds is linear in the score: slope gap, intercept by Bayes' rule.
    log_odds = gap * score - gap**2 / 2 + np.log(prevalence / (1 - prevalence))
    model = np.sum(outcome * log_odds - np.logaddexp(0.0, log_odds))
    null = draws * (prevalence * np.log(prevalence) + (1 - prevalence) * np.log(1 - prevalence))
    return float(1 - np.exp(-2 * (model - null) / draws))


def r_squared_of_concordance(concordance: float, event_share: float) -> float:
    """Cox–Snell R² of a time-to-event model with this C and share of patients with the event.

    C gives Royston's D (Jinks 2015, BMC Med Res Methodol 15:82: a fit to published models), D gives R²_D (Royston &
    Sauerbrei 2004), that O'Quigley's R² and so the likelihood ratio per event (Riley 2019, Stat Med 38:1276). Under
    heavy censoring it is up to 0.07 too low in simulations, which asks for more patients, not for fewer.
    """
    if not (0.5 < concordance < 1 and 0 < event_share <= 1):
        raise ConfigError(
            "sample size", f"C {concordance}, share with the event {event_share} found → C in (½, 1), share in (0, 1]",
            "Correct the values",
        )  # fmt: skip
    above = concordance - 0.5
    d = 5.50 * above + 10.26 * above**3
    error = np.pi**2 / 6
    explained = np.pi / 8 * d**2 / (error + np.pi / 8 * d**2)
    o_quigley = error * explained / (1 - (1 - error) * explained)
    return float(1 - (1 - o_quigley) ** event_share)
