"""The hospital side of the study: two sequences, often no masks, so mostly there to be predicted."""

from __future__ import annotations

from typing import Any

from glioma_os.cohorts.cohort import Cohort
from glioma_os.data.segmentation import SegmentationDataModule
from glioma_os.records import Modality
from glioma_os.volumes.store import VolumeStore

TWO_SEQUENCES = (Modality.T1C, Modality.FLAIR)


class BestaDataModule(SegmentationDataModule):
    """A hospital table's cases; `channels` defaults to T1c and FLAIR."""

    def __init__(self, cohort: Cohort, store: VolumeStore, channels: Any = TWO_SEQUENCES, **options: Any) -> None:
        super().__init__(cohort, store, channels, **options)
