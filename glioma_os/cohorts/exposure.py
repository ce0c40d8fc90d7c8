"""Which patients of a cohort a segmenter was trained on, as the cohort's own ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from glioma_os.cohorts.cohort import Cohort
from glioma_os.cohorts.overlap import same_people


class Exposure(NamedTuple):
    """Patients that the encoder was fine-tuned on, and those that its pre-training saw."""

    encoder_patients: list[str]
    pretraining_patients: list[str]


def exposure(
    own: Cohort, trained_on: Mapping[str, Sequence[str]], pretraining: Cohort | None = None,
    finetuning: Sequence[Cohort] = (), pretraining_id_prefix: str | None = None,
) -> Exposure:  # fmt: skip
    """Of `own`'s patients. `trained_on`: cohort name → patients of it that the weights were trained on; `pretraining`
    and `finetuning` are the cohorts that may stand there under another name than `own`'s. Patients with an alias of
    that prefix count as seen by the pre-training."""
    direct: set[str] = set(trained_on.get(own.name, []))
    early: set[str] = set()
    for other, people in ((pretraining, early), *((cohort, direct) for cohort in finetuning)):
        if other is not None and other.name != own.name and other.name in trained_on:
            people |= same_people(own, other, set(trained_on[other.name]))
    if pretraining_id_prefix:
        named = own.aliases().items()
        early |= {who for who, names in named if any(name.startswith(pretraining_id_prefix) for name in names)}
    return Exposure(sorted(direct), sorted(early))
