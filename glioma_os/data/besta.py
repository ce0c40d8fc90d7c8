"""A hospital's scans for training: two sequences; masks are optional, and what has none is left out of the training."""

from __future__ import annotations

from typing import Any

from glioma_os.cohorts.cohort import Cohort
from glioma_os.data.segmentation import SegmentationDataModule
from glioma_os.records import Modality
from glioma_os.volumes.store import VolumeStore

TWO_SEQUENCES = (Modality.T1C, Modality.FLAIR)


class BestaDataModule(SegmentationDataModule):
    """A hospital table's cases. `channels` defaults to T1c and FLAIR.

    Only cases with a mask give training volumes; where no training patient has one, that is a DataError.
    """

    def __init__(self, cohort: Cohort, store: VolumeStore, channels: Any = TWO_SEQUENCES, **options: Any) -> None:
        super().__init__(cohort, store, channels, **options)
