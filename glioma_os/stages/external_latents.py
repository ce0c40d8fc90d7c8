"""Latents of two cohorts through one frozen segmenter, for external validation from images."""

from __future__ import annotations

import numpy as np

from glioma_os.errors import ConfigError
from glioma_os.fusion.folds import seen_by_encoder
from glioma_os.records import Case, FeatureTable
from glioma_os.stages.fitting import finetune, pretrain
from glioma_os.stages.latents import extract, seen_patients
from glioma_os.stages.segment import ALL, segmenters
from glioma_os.stages.segmenter import Segmenter
from glioma_os.stages.setting import Setting


def external_latents(setting: Setting, known: list[Case], others: list[Case], test: str) -> FeatureTable:
    """Rows of both cohorts. Under `strict`, an encoder that was fine-tuned on a test patient is an IntegrityError."""
    if {case.cohort for case in known} != {setting.cohort().name}:
        raise ConfigError(
            "features.kind", "latents with several training cohorts found → csv or none expected",
            "Name one training cohort, or give a feature table",
        )  # fmt: skip
    segmenter = external_segmenter(setting, {case.patient_id for case in known})
    tables = []
    for key in ("cohort", test):
        cohort = setting.cohort(key)
        seen = seen_patients(setting, segmenter, cohort)
        tables.append(extract(setting, segmenter, seen, f"Latents of {cohort.name}", cohort))
    people = {case.patient_id for case in others}
    seen_by_encoder(tables[1], people, setting.cohort(test).name, setting.cfg.validation.leak_policy)
    wanted = [[case.case_id for case in side] for side in (known, others)]
    values = np.vstack([table.rows(ids) for table, ids in zip(tables, wanted, strict=True)])
    return FeatureTable(
        tuple(wanted[0] + wanted[1]), tables[0].names, tables[0].blocks, values,
        {**tables[1].provenance, "encoder_patients": sorted(tables[1].provenance["encoder_patients"])},
    )  # fmt: skip


def external_segmenter(setting: Setting, train: set[str]) -> Segmenter:
    """One segmenter for both cohorts: pre-trained alone, fine-tuned on `finetuning.cohort`, or (finetuning.from=own) on
    all labelled patients of the training cohort that the pipeline is trained on."""
    if setting.cfg.finetuning["from"] != "own":
        return segmenters(setting)[ALL]
    cohort = setting.cohort()
    labelled = sorted({case.patient_id for case in cohort.cases() if case.label is not None} & train)
    return finetune(setting, pretrain(setting), "cohort", labelled, [], f"Fine-tuning on all of {cohort.name}")
