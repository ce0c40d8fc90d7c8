"""The test oracles, imported with their own import-time warnings (deprecations inside them) held back."""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    warnings.simplefilter("ignore", FutureWarning)
    from sksurv.compare import compare_survival
    from sksurv.linear_model import CoxnetSurvivalAnalysis, CoxPHSurvivalAnalysis
    from sksurv.metrics import (
        brier_score,
        concordance_index_censored,
        concordance_index_ipcw,
        cumulative_dynamic_auc,
        integrated_brier_score,
    )
    from sksurv.nonparametric import kaplan_meier_estimator
    from sksurv.util import Surv
    from statsmodels.duration.hazard_regression import PHReg
    from statsmodels.stats.proportion import proportion_confint

__all__ = [
    "CoxPHSurvivalAnalysis",
    "CoxnetSurvivalAnalysis",
    "PHReg",
    "Surv",
    "brier_score",
    "compare_survival",
    "concordance_index_censored",
    "concordance_index_ipcw",
    "cumulative_dynamic_auc",
    "integrated_brier_score",
    "kaplan_meier_estimator",
    "proportion_confint",
]
