"""The BraTS side of the study: four sequences, and a mask for every case that is trained on."""

from __future__ import annotations

from typing import Any

from glioma_os.cohorts.cohort import Cohort
from glioma_os.data.segmentation import SegmentationDataModule
from glioma_os.records import Modality
from glioma_os.volumes.store import VolumeStore


class BratsDataModule(SegmentationDataModule):
    """Any BraTS release; `channels` defaults to the bundle's order T1c, T1, T2, FLAIR."""

    def __init__(self, cohort: Cohort, store: VolumeStore, channels: Any = tuple(Modality), **options: Any) -> None:
        super().__init__(cohort, store, channels, **options)
