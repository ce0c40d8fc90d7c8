"""A cohort as the store holds it, without Lightning: what every stage but the fits reads."""

from __future__ import annotations

from dataclasses import dataclass

from glioma_os.cohorts.cohort import Cohort
from glioma_os.errors import DataError
from glioma_os.records import Case
from glioma_os.volumes.prepare import Recipe
from glioma_os.volumes.store import StoredVolume, VolumeStore


@dataclass(frozen=True)
class PreparedCohort:
    """The cases of a cohort under one recipe. Asking for volumes prepares what is not in the store yet."""

    cohort: Cohort
    store: VolumeStore
    recipe: Recipe

    def cases(self, patients: frozenset[str] | None = None) -> list[Case]:
        """The cohort's cases of these patients, or all."""
        return [case for case in self.cohort.cases() if patients is None or case.patient_id in patients]

    def waiting(self) -> list[Case]:
        """Cases that the store does not hold yet."""
        return [case for case in self.cases() if not self.store.holds(case, self.recipe)]

    def volumes(self, patients: frozenset[str] | None = None) -> list[StoredVolume]:
        """The stored volumes of these patients, in the cohort's order."""
        return [self.store.open(self.store.prepare(case, self.recipe)) for case in self.cases(patients)]

    def labelled(self, patients: frozenset[str]) -> list[StoredVolume]:
        """Those of them that have a mask; none at all is an error."""
        found = [volume for volume in self.volumes(patients) if volume.region_bits is not None]
        if not found:
            raise DataError(
                f"cohort {self.cohort.name}", f"no mask for any of {len(patients)} patients found → masks to train on",
                "Fine-tune on a cohort with masks (finetuning.source=cohort) or not at all (finetuning.source=none)",
            )  # fmt: skip
        return found
