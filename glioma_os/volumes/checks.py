"""Everything that can be wrong with a case's files, found all at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np

from glioma_os.errors import DataError
from glioma_os.records import Array, Case, Modality
from glioma_os.volumes.background import without_background
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


def refuse_errors(findings: Sequence[Finding]) -> None:
    """A DataError with the first error, and how many more there are."""
    errors = [finding for finding in findings if finding.level == "error"]
    if errors:
        more = f" (and {len(errors) - 1} more errors: `stage=verify` lists them)" if errors[1:] else ""
        raise DataError(f"{errors[0].case_id}: {errors[0].where}", errors[0].problem + more, errors[0].remedy)


def check_case(case: Case, coding: LabelCoding | None, modalities: tuple[Modality, ...]) -> list[Finding]:
    """All findings of one case: unreadable, missing, misplaced, empty, duplicate, mislabelled or mirrored files."""
    return load_case(case, coding, modalities).findings


@dataclass(frozen=True)
class LoadedCase:
    """What could be read of a case, background 0 in every image, and all that is wrong with it."""

    images: dict[Modality, NiftiImage]
    label: NiftiImage | None
    findings: list[Finding]


def load_case(case: Case, coding: LabelCoding | None, modalities: tuple[Modality, ...]) -> LoadedCase:
    """Reads and checks one case; the mask only where there is a `coding` for it."""
    found: list[Finding] = []

    def add(where: object, level: Literal["error", "note"], problem: str, remedy: str) -> None:
        found.append(Finding(case.case_id, str(getattr(where, "name", where)), level, problem, remedy))

    images: dict[Modality, NiftiImage] = {}
    for modality in modalities:
        if modality not in case.images:
            add(f"sequence {modality.value}", "error", f"no {modality.value} image found → one expected",
                "Add it, choose channels without it, or leave the case out")  # fmt: skip
            continue
        try:
            image = read_nifti(case.images[modality])
            images[modality] = replace(image, data=without_background(image.data, image.affine, image.path))
        except DataError as error:
            add(case.images[modality], "error", error.problem, error.remedy)
    label = None
    if case.label is not None and coding is not None:
        try:
            label = read_nifti(case.label)
        except DataError as error:
            add(case.label, "error", error.problem, error.remedy)
    _check_geometry([*images.values(), *([label] if label else [])], add)
    _check_content(images, add)
    if label is not None and coding is not None:
        _check_label(label, coding, images, add)
    return LoadedCase(images, label, found)


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
        if _is_flat(image.data):
            add(image.path, "error", "every voxel 0 or of the same value found → an image expected", "Replace the file")
        else:
            live[modality] = image
    for (a, one), (b, two) in combinations(live.items(), 2):
        if one.sha256 == two.sha256:
            add(
                two.path,
                "error",
                f"the same file as {one.path.name} found → separate images for {a} and {b} expected",
                "Supply the correct file",
            )
        elif one.data.shape == two.data.shape and _correlate(one.data, two.data) > SAME_IMAGE:
            add(
                two.path,
                "error",
                f"the same image content as {one.path.name} found → separate images for {a} and {b} expected",
                "Supply the correct file",
            )
    if len(live) > 1 and len({image.data.shape for image in live.values()}) == 1:
        sizes = [np.count_nonzero(image.data) for image in live.values()]
        least = int(np.argmin(sizes))
        if sizes[least] < 0.85 * max(sizes):
            image = list(live.values())[least]
            add(image.path, "note", f"{sizes[least] / max(sizes):.0%} of the brain that other sequences show",
                "Check the image: its field of view may be truncated")  # fmt: skip


def _is_flat(image: Array) -> bool:
    """Whether fewer than two values differ from the background; a sample of the voxels nearly always settles it."""
    for part in (image[::4, ::4, ::4], image):
        tissue = part[part != 0]
        if tissue.size and tissue.min() < tissue.max():
            return False
    return True


def _correlate(one: Array, two: Array) -> float:
    """Correlation of an eighth of the voxels, where both show tissue."""
    x, y = one[::2, ::2, ::2], two[::2, ::2, ::2]
    inside = (x != 0) & (y != 0)
    one, two = x[inside].astype(float), y[inside].astype(float)
    if inside.sum() < 12 or one.std() == 0 or two.std() == 0:
        return 0.0
    return float(np.corrcoef(one, two)[0, 1])


def _check_label(label: NiftiImage, coding: LabelCoding, images: dict[Modality, NiftiImage], add: Add) -> None:
    try:
        whole = coding.regions(label.data, label.path.name)[1]
    except DataError as error:
        add(label.path, "error", error.problem, error.remedy)
        return
    if not whole.any():
        add(label.path, "note", "no tumour in the mask", "The case is left out of tumour-centred training")
        return
    fitting = [image.data for image in images.values() if image.data.shape == whole.shape]
    if not fitting:
        return
    inside = _inside(whole, fitting)
    if inside < 0.5:
        add(label.path, "error", f"{1 - inside:.0%} of the mask lies outside the brain → a mask of these images",
            "Give the mask that belongs to the case, in the grid of its images")  # fmt: skip
    elif inside < 0.95:
        hint = "; mirrored left to right it would fit" if _inside(whole[::-1], fitting) > 0.98 else ""
        add(label.path, "note", f"{1 - inside:.0%} of the mask lies outside the brain{hint}", "Check its orientation")


def _inside(mask: Array, images: list[Array]) -> float:
    """Share of the mask's voxels where at least half of the images show tissue."""
    places = np.nonzero(mask)
    return float((np.sum([image[places] != 0 for image in images], axis=0) * 2 >= len(images)).mean())
