"""Discrimination by subgroup."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glioma_os.fusion.results import Configuration, ValidationResult
from glioma_os.fusion.rows import CLINICAL_COLUMNS, Rows
from glioma_os.fusion.scores import samples_of
from glioma_os.records import Array
from glioma_os.survival.bootstrap import METRICS, bootstrap_weights, interval

FEWEST, FEWEST_DEATHS = 20, 10  # below it an interval of C spans nearly everything
LEVELS = {
    "sex": ("female", "male"),
    "kps": ("KPS under 80", "KPS 80 or more"),
    "eor_not_gtr": ("gross total resection", "no gross total resection"),
    "eor_biopsy": ("resected", "biopsy alone"),
    "idh": ("IDH wildtype", "IDH mutant"),
    "mgmt": ("MGMT unmethylated", "MGMT methylated"),
}


@dataclass(frozen=True)
class SubgroupScore:
    """C-index of one configuration in one subgroup, mean over repeats. NaN where there are too few to say."""

    head: str
    block: str
    subgroup: str
    n: int
    deaths: int
    value: float
    low: float
    high: float


def subgroups(rows: Rows) -> dict[str, Array]:
    """Name → rows (n,) bool: age bands, clinical levels and sites that are recorded for anybody."""
    known = dict(zip(CLINICAL_COLUMNS, rows.clinical.T, strict=True))
    found = {
        "age under 50": known["age"] < 50,
        "age 50 to 64": (known["age"] >= 50) & (known["age"] < 65),
        "age 65 or more": known["age"] >= 65,
    }
    for name, (low, high) in LEVELS.items():
        cut = 80 if name == "kps" else 0.5
        found |= {low: known[name] < cut, high: known[name] >= cut}
    sites = sorted(set(rows.sites) - {""})
    found |= {f"site {site}": np.array([own == site for own in rows.sites]) for site in sites if len(sites) > 1}
    return {name: used for name, used in found.items() if used.any()}


def subgroup_scores(
    result: ValidationResult, configuration: Configuration, rows: Rows, replicates: int = 1000, seed: int = 0
) -> list[SubgroupScore]:
    """One line per subgroup; patients are drawn within it."""
    place = {case_id: k for k, case_id in enumerate(rows.case_ids)}
    judged = [
        place[case] for case, repeat in zip(result.truth.case_ids, result.truth.repeat, strict=True) if not repeat
    ]
    metric, lines = METRICS["c_index"], []
    for name, used in subgroups(rows).items():
        own = used[judged]
        samples = [sample.rows(own) for sample in samples_of(result, configuration)]
        n, deaths = int(own.sum()), int(samples[0].event.sum())
        value, low, high = (float("nan"),) * 3
        if n >= FEWEST and deaths >= FEWEST_DEATHS:
            patients, of_case = np.unique(np.asarray(rows.patient_ids)[np.asarray(judged)[own]], return_inverse=True)
            weights = bootstrap_weights(len(patients), replicates, seed)[:, of_case]
            value = float(np.mean([metric(sample)[0] for sample in samples]))
            low, high, _ = interval(np.mean([metric(sample, weights) for sample in samples], axis=0))
        lines.append(SubgroupScore(configuration.head, configuration.block, name, n, deaths, value, low, high))
    return lines
