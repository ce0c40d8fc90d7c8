"""Everything that can be wrong with a case's files, found all at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from glioma_os.errors import DataError
from glioma_os.records import Array, Case, Modality
from glioma_os.volumes.conventions import LabelCoding
from glioma_os.volumes.nifti import NiftiImage, read_nifti

AFFINE_TOLERANCE_MM = 1e-2
SAME_IMAGE = 0.999  # correlation within the brain above which two sequences are one


Add = Callable[[object, Literal["error", "note"], str, str], None]


@dataclass(frozen=True)
class Finding:
    """One thing to look at. An `error` stops the case from being used; a `note` does not."""

    case_id: str
    where: str
    level: Literal["error", "note"]
    problem: str
    remedy: str


def check_case(case: Case, coding: LabelCoding | None, modalities: tuple[Modality, ...]) -> list[Finding]:
    """All findings of one case: unreadable, missing, misplaced, empty, doubled, mislabelled or mirrored files."""
    found: list[Finding] = []

    def add(where: object, level: Literal["error", "note"], problem: str, remedy: str) -> None:
        found.append(Finding(case.case_id, str(getattr(where, "name", where)), level, problem, remedy))

    images: dict[Modality, NiftiImage] = {}
    for modality in modalities:
        if modality not in case.images:
            add(modality.value, "error", "no file found → one expected", "Add it, or choose channels without it")
            continue
        try:
            images[modality] = read_nifti(case.images[modality])
        except DataError as error:
            add(case.images[modality], "error", error.problem, error.remedy)
    label = None
    if case.label is not None:
        try:
            label = read_nifti(case.label)
        except DataError as error:
            add(case.label, "error", error.problem, error.remedy)
    _check_geometry([*images.values(), *([label] if label else [])], add)
    _check_content(images, add)
    if label is not None and coding is not None:
        _check_label(label, coding, images, add)
    return found


def _check_geometry(files: list[NiftiImage], add: Add) -> None:
    if not files:
        return
    first = files[0]
    for other in files[1:]:
        if other.data.shape != first.data.shape:
            add(other.path, "error", f"shape {other.data.shape} found → {first.data.shape} of {first.path.name}",
                "Co-register the files of a case")  # fmt: skip
        gap = float(np.abs(other.affine - first.affine).max())
        if gap > AFFINE_TOLERANCE_MM:
            add(other.path, "error",
                f"affine {other.affine[:3].round(3).tolist()} found → {first.affine[:3].round(3).tolist()} of "
                f"{first.path.name}", "Co-register the files of a case")  # fmt: skip


def _check_content(images: dict[Modality, NiftiImage], add: Add) -> None:
    live = {}
    for modality, image in images.items():
        inside = image.data[image.data != 0]
        if inside.size < 2 or inside.min() == inside.max():
            add(image.path, "error", "every voxel 0 or alike found → an image expected", "Replace the file")
        else:
            live[modality] = image
    for (a, one), (b, two) in combinations(live.items(), 2):
        if one.sha256 == two.sha256:
            add(two.path, "error", f"the same file as {one.path.name} found → {b} beside {a}", "Name the right file")
        elif one.data.shape == two.data.shape and _correlation(one.data, two.data) > SAME_IMAGE:
            add(two.path, "error", f"the same picture as {one.path.name} found → {b} beside {a}", "Name the right file")
    shown = [image.data != 0 for image in live.values()]
    if len(shown) > 1 and len({mask.shape for mask in shown}) == 1:
        sizes = [int(mask.sum()) for mask in shown]
        least = int(np.argmin(sizes))
        if sizes[least] < 0.85 * max(sizes):
            image = list(live.values())[least]
            add(image.path, "note", f"{sizes[least] / max(sizes):.0%} of the brain that other sequences show",
                "Look at it: a cut field of view")  # fmt: skip


def _correlation(one: Array, two: Array) -> float:
    inside = (one != 0) & (two != 0)
    if inside.sum() < 100:
        return 0.0
    return float(np.corrcoef(one[inside][::7], two[inside][::7])[0, 1])


def _check_label(label: NiftiImage, coding: LabelCoding, images: dict[Modality, NiftiImage], add: Add) -> None:
    try:
        whole = coding.regions(label.data, label.path.name)[1]
    except DataError as error:
        add(label.path, "error", error.problem, error.remedy)
        return
    if not whole.any():
        add(label.path, "note", "no tumour in the mask", "The case is left out of tumour-centred training")
        return
    fitting = [image.data != 0 for image in images.values() if image.data.shape == whole.shape]
    if not fitting:
        return
    brain = np.sum(fitting, axis=0) * 2 >= len(fitting)
    inside = float(brain[whole].mean())
    if inside < 0.95:
        mirrored = float(brain[whole[::-1]].mean())
        hint = "; mirrored left to right it would fit" if mirrored > 0.98 else ""
        add(label.path, "note", f"{1 - inside:.0%} of the mask lies outside the brain{hint}", "Check its orientation")
