"""What crosses the borders between packages: records checked once where they are made, and the batches."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from unicodedata import category

import numpy as np

from glioma_os.errors import CONTROL, DataError

if TYPE_CHECKING:
    import torch

Array = np.ndarray


class Modality(StrEnum):
    """An MRI contrast. The order is the Model-Zoo bundle's channel order."""

    T1C = "t1c"
    T1 = "t1"
    T2 = "t2"
    FLAIR = "flair"


class Region(StrEnum):
    """A nested BraTS region. The order is the network's output order: tumour core, whole tumour, enhancing tumour."""

    TC = "tc"
    WT = "wt"
    ET = "et"


class Extent(StrEnum):
    """Extent of resection."""

    GTR = "gtr"
    STR = "str"
    BIOPSY = "biopsy"


@dataclass(frozen=True)
class Clinical:
    """What is known of a patient before the outcome. `None` = not recorded; it is never filled in here."""

    age_years: float | None = None
    sex: str | None = None
    kps: float | None = None
    extent: Extent | None = None
    idh_mutant: bool | None = None
    mgmt_methylated: bool | None = None

    def __post_init__(self) -> None:
        if self.age_years is not None and not 0 < self.age_years < 120:
            raise DataError("age", f"{self.age_years} found → years between 0 and 120 expected", "Correct the table")
        if self.sex not in (None, "F", "M"):
            raise DataError("sex", f"{self.sex!r} found → F, M or blank expected", "Correct the table")
        if self.kps is not None and not 0 <= self.kps <= 100:
            raise DataError("kps", f"{self.kps} found → 0 to 100 expected", "Correct the table")


@dataclass(frozen=True)
class Outcome:
    """Overall survival: `event` True = died at `time_days`; False = alive when last seen at `time_days` (censored)."""

    time_days: float
    event: bool

    def __post_init__(self) -> None:
        if not (np.isfinite(self.time_days) and 0 < self.time_days < 36525):
            raise DataError(
                "survival", f"{self.time_days} days found → more than 0 and under 100 years expected", "Check the unit"
            )


@dataclass(frozen=True)
class Case:
    """One imaging session. `patient_id` groups splits: two sessions of a patient never part."""

    case_id: str
    patient_id: str
    cohort: str
    site: str | None
    images: dict[Modality, Path] = field(default_factory=dict)
    label: Path | None = None
    clinical: Clinical = Clinical()
    outcome: Outcome | None = None

    def __post_init__(self) -> None:
        for name in (self.case_id, self.patient_id):
            unsafe = any(mark in "/\\\t\n\r" or CONTROL.match(mark) or category(mark) == "Cf" for mark in name)
            if not name or name != name.strip() or unsafe or name.startswith("."):
                raise DataError(
                    ascii(name),
                    "a case id with blanks, slashes, invisible or control characters or a leading dot found",
                    "Rename the case",
                )


@dataclass(frozen=True)
class Volume:
    """A case's voxels in memory: `image` (C, D, H, W) float32, `regions` (3, D, H, W) bool in TC, WT, ET order."""

    case_id: str
    image: Array
    regions: Array | None
    affine: Array
    source_sha256: str


@dataclass(frozen=True)
class FeatureTable:
    """Rows = cases, columns = features; latents and radiomics alike.

    `values` (cases, features) float32; `blocks` names the block of each column (for example `latent`);
    `provenance` carries the encoder's checkpoint digest and `encoder_patients`, the patients it was trained on.
    """

    case_ids: tuple[str, ...]
    names: tuple[str, ...]
    blocks: tuple[str, ...]
    values: Array
    provenance: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.values.shape != (len(self.case_ids), len(self.names)) or len(self.blocks) != len(self.names):
            raise DataError(
                "feature table",
                f"{self.values.shape} values for {len(self.case_ids)} cases × {len(self.names)} names, "
                f"{len(self.blocks)} blocks",
                "Give one row per case and one column per name",
            )
        if len(set(self.case_ids)) != len(self.case_ids):
            raise DataError("feature table", "a case id stands twice", "Keep one row per case")

    def rows(self, case_ids: list[str]) -> Array:
        """Values (len(case_ids), features) in the order asked for; an unknown id is an error that names it."""
        place = {case_id: row for row, case_id in enumerate(self.case_ids)}
        missing = [case_id for case_id in case_ids if case_id not in place]
        if missing:
            raise DataError(
                "feature table",
                f"no row for {len(missing)} of {len(case_ids)} cases, the first {missing[0]!r}",
                "Extract features for every case, or leave these cases out of the cohort",
            )
        return self.values[[place[case_id] for case_id in case_ids]]


@dataclass(frozen=True)
class RiskTable:
    """Out-of-fold predictions, one row per (repeat, case). Risk: higher = worse.

    `probabilities` (rows, classes) with classes ordered from short to long survival, or None;
    `curves` (rows, horizons) = S(t) on `horizons_days`, or None.
    """

    case_ids: tuple[str, ...]
    fold: Array
    repeat: Array
    risk: Array
    probabilities: Array | None = None
    curves: Array | None = None
    horizons_days: Array | None = None


class SegmentationBatch(NamedTuple):
    """`image` (B, C, D, H, W) z-scores; `regions` (B, 3, D, H, W) in {0, 1}; `case_id` one name per row, or the
    name itself in a sample that is not collated yet."""

    image: torch.Tensor
    regions: torch.Tensor
    case_id: list[str] | str


class FusionBatch(NamedTuple):
    """Every member of a batched fit at once: `features` (M, N, F), `target` (M, N, T), `weight` (M, N), 0 = not in
    this member's training rows."""

    features: torch.Tensor
    target: torch.Tensor
    weight: torch.Tensor
