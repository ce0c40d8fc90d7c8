"""Cohorts whose truth is known: age acts on survival; other inputs do or do not."""

from dataclasses import dataclass

import numpy as np

from glioma_os.cohorts.splits import Folds, make_folds
from glioma_os.fusion.rows import CLINICAL_COLUMNS, Rows
from glioma_os.records import FeatureTable

AGE, EOR = 0.36, 0.30  # correlation of age and of extent of resection with log survival
MEAN_LOG_DAYS, SD_LOG_DAYS, CENSORED = 5.74, 0.96, 0.1  # BraTS2020's; a tenth is censored


@dataclass(frozen=True)
class Law:
    """log days = 5.74 + .96 (−.36 age − .30 eor (where it acts) − signal · trait + noise), variance 1 in brackets.

    `features`: columns of N(0, 1); a quarter of them also carries the trait with loadings N(0, .6²).
    """

    features: int = 0
    signal: float = 0.0
    clinical: bool = False


def draw(law: Law, n: int, rng: np.random.Generator, prefix: str = "p") -> tuple[Rows, FeatureTable | None]:
    """Rows and features of n patients."""
    age, trait, eor, sex = rng.normal(size=n), rng.normal(size=n), rng.random(n) < 0.4, rng.random(n) < 0.6
    explained = AGE * age + law.signal * trait
    left = 1 - AGE**2 - law.signal**2
    if law.clinical:
        explained, left = explained + EOR * (eor - 0.4) / np.sqrt(0.24), left - EOR**2
    days = np.exp(MEAN_LOG_DAYS + SD_LOG_DAYS * (np.sqrt(left) * rng.normal(size=n) - explained))
    event = rng.random(n) >= CENSORED
    time = np.maximum(np.ceil(np.where(event, days, days * rng.uniform(0.4, 0.95, n))), 5.0)
    clinical = np.full((n, len(CLINICAL_COLUMNS)), np.nan)
    clinical[:, CLINICAL_COLUMNS.index("age")] = 60 + 12 * age
    if law.clinical:
        clinical[:, CLINICAL_COLUMNS.index("sex")] = sex
        clinical[:, CLINICAL_COLUMNS.index("eor_not_gtr")] = eor
        clinical[:, CLINICAL_COLUMNS.index("eor_biopsy")] = eor & (rng.random(n) < 0.25)
    ids = tuple(f"{prefix}{k:05d}" for k in range(n))
    rows = Rows(ids, ids, time, event, clinical)
    if not law.features:
        return rows, None
    loadings = np.random.default_rng(1).normal(size=law.features) * 0.6 * (np.arange(law.features) < law.features // 4)
    carried = trait[:, None] * loadings * (law.signal > 0)
    values = (rng.normal(size=(n, law.features)) + carried).astype(np.float32)
    names = tuple(f"f{k}" for k in range(law.features))
    return rows, FeatureTable(ids, names, ("features",) * law.features, values, {"encoder_patients": []})


def folds_of(rows: Rows, repeats: int, seed: int) -> Folds:
    """Five folds, stratified by thirds of survival and by censoring, as the stages make them."""
    rank = np.argsort(np.argsort(rows.time, kind="stable"), kind="stable")
    strata = [int(r * 3 // len(rank)) + (0 if event else 3) for r, event in zip(rank, rows.event, strict=True)]
    return make_folds(rows.patient_ids, strata, 5, repeats, seed)
