"""One table of what sources call their sequences, and what their label values mean."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

import numpy as np

from glioma_os.errors import ConfigError, DataError
from glioma_os.records import Array, Modality

ALIASES: dict[Modality, tuple[str, ...]] = {
    Modality.T1C: ("t1c", "t1ce", "t1gd", "ct1", "t1post", "ce-gadolinium_t1w"),
    Modality.T1: ("t1", "t1n", "t1w"),
    Modality.T2: ("t2", "t2w"),
    Modality.FLAIR: ("flair", "t2f", "t2-flair"),
}
SEGMENTATION_ALIASES = ("seg", "segm", "label", "tumor_segmentation")


def modality_of(word: str) -> Modality | None:
    """The modality a file-name token means, in any case; None for anything else."""
    lowered = word.lower()
    return next((modality for modality, names in ALIASES.items() if lowered in names), None)


@dataclass(frozen=True)
class LabelCoding:
    """What the values of a label map mean. `outside`: legal values that belong to no region (a resection cavity)."""

    name: str
    necrosis: int
    oedema: int
    enhancing: int
    outside: tuple[int, ...] = ()

    def regions(self, label_map: Array, where: str) -> Array:
        """(D, H, W) → (3, D, H, W) bool of TC, WT, ET; a value outside the coding is a DataError with counts."""
        values, counts = np.unique(label_map, return_counts=True)
        legal = {0, self.necrosis, self.oedema, self.enhancing, *self.outside}
        odd = {f"{value:g}": int(n) for value, n in zip(values, counts, strict=True) if value not in legal}
        if odd:
            listed = ", ".join(f"{value} ({n} voxels)" for value, n in odd.items())
            raise DataError(
                where, f"label values {listed} found → {sorted(legal)} of coding {self.name} expected",
                "Set the cohort's label_coding, or correct the mask",
            )  # fmt: skip
        enhancing = label_map == self.enhancing
        core = enhancing | (label_map == self.necrosis)
        return np.stack([core, core | (label_map == self.oedema), enhancing])

    def label_map(self, regions: Array) -> Array:
        """(3, D, H, W) bool of TC, WT, ET → uint8 (D, H, W); enhancing wins over core, core over oedema."""
        core, whole, enhancing = np.asarray(regions, bool)
        out = np.zeros(core.shape, np.uint8)
        out[whole] = self.oedema
        out[core] = self.necrosis
        out[enhancing] = self.enhancing
        return out


def _years(first: int, last: int, enhancing: int, outside: tuple[int, ...] = ()) -> dict[str, LabelCoding]:
    return {f"brats{y}": LabelCoding(f"brats{y}", 1, 2, enhancing, outside) for y in range(first, last + 1)}


CODINGS: dict[str, LabelCoding] = {
    **_years(2017, 2022, enhancing=4),
    **_years(2023, 2023, enhancing=3),
    **_years(2024, 2025, enhancing=3, outside=(4,)),  # 4 is the resection cavity there, never enhancing tumour
    "msd": LabelCoding("msd", necrosis=2, oedema=1, enhancing=3),
    "nnunet": LabelCoding("nnunet", necrosis=2, oedema=1, enhancing=3),
}


def coding(name: str) -> LabelCoding:
    """The coding of that name; a ConfigError suggests the nearest."""
    if name not in CODINGS:
        near = difflib.get_close_matches(str(name), CODINGS, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"one of {', '.join(CODINGS)} expected"
        raise ConfigError("label_coding", f"{name!r} found → {hint}", "Declare what the mask's values mean")
    return CODINGS[name]
