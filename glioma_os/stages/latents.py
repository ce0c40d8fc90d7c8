"""stage=latents: one vector a case from the segmenter's encoder, stamped with whom that encoder was trained on."""

from __future__ import annotations

from typing import Any

import numpy as np
from omegaconf import DictConfig

from glioma_os.cohorts.cohort import Cohort
from glioma_os.data.features import read_features, write_features
from glioma_os.records import FeatureTable
from glioma_os.stages import recipes
from glioma_os.stages.segmenter import Segmenter
from glioma_os.stages.setting import Setting
from glioma_os.training.progress import say, track

TABLE = "latents.npz"


def extract(
    setting: Setting, segmenter: Segmenter, seen: dict[str, list[str]], title: str, cohort: Cohort | None = None
) -> FeatureTable:
    """Latents of every case of a cohort, by default the survival cohort.

    `seen`: `encoder_patients` (fine-tuned on) and `pretraining_patients`, both as patient ids of this cohort.
    """
    volumes = setting.prepared(cohort or setting.cohort(), segmenter.channels).volumes()
    key = {
        "recipe": recipes.LATENTS, "segmenter": segmenter.run.id, "channels": segmenter.channels,
        "pooling": setting.cfg.features.pooling, "volumes": [volume.key for volume in volumes],
        "precision": setting.options.resolved_precision(), "seen": seen,
    }  # fmt: skip
    run = setting.run("latents", key)
    with run.writing() as todo:
        if todo:
            for volume in volumes:
                setting.store.open(volume.key, whole=True)
            values = _encode(setting, segmenter, volumes, title)
            names = tuple(f"latent_{place:04d}" for place in range(values.shape[1]))
            provenance = {"segmenter": segmenter.run.id, "pooling": setting.cfg.features.pooling, **seen}
            table = FeatureTable(
                tuple(volume.case_id for volume in volumes), names, ("latents",) * len(names), values, provenance
            )
            write_features(table, run.path(TABLE))
    return read_features(run.path(TABLE))


def _encode(setting: Setting, segmenter: Segmenter, volumes: list[Any], title: str) -> np.ndarray:
    import torch

    from glioma_os.networks.inference import latents

    network = segmenter.network(setting)
    rows = []
    for volume in track(volumes, len(volumes), title):
        image = torch.from_numpy(volume.window((0, 0, 0), volume.shape, segmenter.channels))[None]
        with setting.options.autocast():
            rows.append(latents(network, image.to(setting.options.device()), setting.cfg.features.pooling)[0])
    return torch.stack(rows).float().cpu().numpy()


def seen_patients(setting: Setting, segmenter: Segmenter, cohort: Cohort | None = None) -> dict[str, list[str]]:
    """A cohort's patients (by default the survival cohort's) that this segmenter was fine-tuned on, and those its
    pre-training saw."""
    from glioma_os.cohorts.overlap import same_people

    own = cohort or setting.cohort()
    patients = segmenter.patients
    direct = set(patients.get(own.name, []))
    pretraining: set[str] = set()
    for key in ("pretraining.cohort", "finetuning.cohort", "cohort"):
        other = setting.cohort(key) if _used(setting, key) else None
        if other is not None and other.name != own.name and other.name in patients:
            people = same_people(own, other, set(patients[other.name]))
            pretraining |= people if key == "pretraining.cohort" else set()
            direct |= people if key != "pretraining.cohort" else set()
    prefix = setting.cfg.pretraining.seen_prefix
    if prefix and setting.cfg.pretraining["from"] == "weights":
        pretraining |= {who for who, names in own.aliases().items() if any(n.startswith(prefix) for n in names)}
    return {"encoder_patients": sorted(direct), "pretraining_patients": sorted(pretraining)}


def _used(setting: Setting, key: str) -> bool:
    if key == "cohort":
        return setting.cfg.finetuning["from"] == "own"
    if key == "pretraining.cohort":
        return setting.cfg.pretraining["from"] == "cohort"
    return setting.cfg.finetuning["from"] == "cohort"


def main(cfg: DictConfig) -> None:
    """Extracts the latents the study would use and says where they are."""
    from glioma_os.stages.segment import segmenters

    setting = Setting(cfg, cfg.setting)
    setting.check()
    for title, segmenter in segmenters(setting).items():
        table = extract(setting, segmenter, seen_patients(setting, segmenter), f"Latents {title}")
        say(f"{len(table.case_ids)} cases × {len(table.names)} latents, segmenter {segmenter.run.id} ({title})")
