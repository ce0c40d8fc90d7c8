"""BraTS for training: four sequences, and a mask in the release's coding for every patient that is trained on."""

from __future__ import annotations

from typing import Any

from glioma_os.cohorts.cohort import Cohort
from glioma_os.data.segmentation import SegmentationDataModule
from glioma_os.errors import ConfigError, DataError
from glioma_os.records import Modality
from glioma_os.volumes.store import StoredVolume, VolumeStore


class BratsDataModule(SegmentationDataModule):
    """A release's cases. `channels` defaults to the four sequences, in the Model-Zoo bundle's order.

    What a label value means differs between releases (enhancing tumour is 4 until 2022, 3 since): a cohort that does
    not say its coding is a ConfigError, and a training patient without a mask a DataError.
    """

    def __init__(self, cohort: Cohort, store: VolumeStore, channels: Any = tuple(Modality), **options: Any) -> None:
        if cohort.label_coding is None:
            raise ConfigError(
                "data", f"brats found, but {cohort.name} declares no label_coding → a coding of its masks expected",
                "Set cohort.label_coding, or data=besta for a cohort without masks",
            )  # fmt: skip
        super().__init__(cohort, store, channels, **options)

    def training_volumes(self) -> list[StoredVolume]:
        """Every training patient's, each with a mask."""
        labelled = {case.patient_id for case in self.prepared.cases(self.train_patients) if case.label is not None}
        without = sorted(self.train_patients - labelled)
        if without:
            raise DataError(
                f"cohort {self.prepared.cohort.name}",
                f"no mask for {len(without)} of {len(self.train_patients)} training patients found → one for each",
                "Add the masks, or set data=besta, which trains on the patients that have one",
            )  # fmt: skip
        return super().training_volumes()
