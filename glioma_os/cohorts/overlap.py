"""Which patients two cohorts share, by every id they are known by."""

from __future__ import annotations

from collections.abc import Collection

from glioma_os.cohorts.cohort import Cohort


def same_people(own: Cohort, other: Cohort, theirs: Collection[str] | None = None) -> set[str]:
    """Patient ids of `own` that are, under any alias of either side, among `theirs` (default: all) of `other`."""
    names = {alias for patient, ids in other.aliases().items() if theirs is None or patient in theirs for alias in ids}
    return {patient for patient, ids in own.aliases().items() if ids & names}
