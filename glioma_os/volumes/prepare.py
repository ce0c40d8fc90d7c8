"""One case → the arrays the store keeps: one orientation, one spacing, cropped to the brain, integers with the mean and
sd that make them exact z-scores."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import nibabel as nib
import numpy as np
from nibabel.orientations import apply_orientation, axcodes2ornt, inv_ornt_aff, io_orientation, ornt_transform
from scipy import ndimage

from glioma_os.errors import ConfigError, DataError
from glioma_os.records import Array, Case, Modality
from glioma_os.volumes.checks import load_case, refuse_errors
from glioma_os.volumes.conventions import coding

RECIPE_VERSION = 3  # raise when a change alters what is stored
ORIENTATION = "LPS"  # how BraTS files lie, and so what public weights have seen
SPACING_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Recipe:
    """How a case is prepared. `spacing_mm` None keeps the scanner's own grid."""

    modalities: tuple[str, ...]
    label_coding: str | None
    spacing_mm: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "modalities", tuple(Modality(m).value for m in self.modalities))
        if self.spacing_mm is not None and not 0.3 <= self.spacing_mm <= 10:
            raise ConfigError(
                "prepare.spacing_mm", f"{self.spacing_mm} found → 0.3 to 10 mm or null expected", "Correct the value"
            )

    def key(self) -> dict[str, object]:
        """What decides the result, besides the source bytes."""
        return {"version": RECIPE_VERSION, "orientation": ORIENTATION, **asdict(self)}


@dataclass(frozen=True)
class Prepared:
    """`voxels` (C, D, H, W) int16, 0 = background, else ≥ 1 with the z-score (voxel − mean) · inverse_sd.

    `region_bits` (D, H, W) uint8: 1 TC, 2 WT, 4 ET, or None without a label. `affine` maps these voxels to mm (RAS);
    the native ones are those of the source's own grid, to which predictions return.
    """

    voxels: Array
    region_bits: Array | None
    mean: Array
    inverse_sd: Array
    affine: Array
    native_affine: Array
    native_shape: tuple[int, int, int]


def prepare_case(case: Case, recipe: Recipe) -> Prepared:
    """Reads, checks and prepares one case; any fault that `stage=verify` calls an error is a DataError."""
    scheme = None if recipe.label_coding is None else coding(recipe.label_coding)
    wanted = tuple(Modality(name) for name in recipe.modalities)
    loaded = load_case(case, scheme, wanted)
    refuse_errors(loaded.findings)
    images = [loaded.images[modality] for modality in wanted]
    first, label = images[0], None
    if loaded.label is not None and scheme is not None:
        regions = scheme.regions(loaded.label.data, str(case.label))
        label = (regions * np.array([1, 2, 4], np.uint8)[:, None, None, None]).sum(0, dtype=np.uint8)
    arrays = [image.data for image in images]
    arrays, label, affine = _reorient(arrays, label, first.affine)
    arrays, label, affine = _resample(arrays, label, affine, recipe.spacing_mm)
    names = [str(image.path) for image in images]
    voxels = np.stack([_to_int16(array, name) for array, name in zip(arrays, names, strict=True)])
    mean, inverse_sd = _statistics(voxels, names)
    box = brain_box(voxels, label)
    affine = affine.copy()
    affine[:3, 3] += affine[:3, :3] @ [s.start for s in box]
    return Prepared(
        voxels=np.ascontiguousarray(voxels[(slice(None), *box)]),
        region_bits=None if label is None else np.ascontiguousarray(label[box]),
        mean=mean, inverse_sd=inverse_sd, affine=affine,
        native_affine=first.affine, native_shape=first.data.shape,
    )  # fmt: skip


def _reorient(arrays: list[Array], label: Array | None, affine: Array) -> tuple[list[Array], Array | None, Array]:
    turn = ornt_transform(io_orientation(affine), axcodes2ornt(ORIENTATION))
    shape = arrays[0].shape
    turned = [apply_orientation(array, turn) for array in arrays]
    return turned, None if label is None else apply_orientation(label, turn), affine @ inv_ornt_aff(turn, shape)


def _resample(
    arrays: list[Array], label: Array | None, affine: Array, spacing_mm: float | None
) -> tuple[list[Array], Array | None, Array]:
    if spacing_mm is None:
        return arrays, label, affine
    factor = spacing_mm / nib.affines.voxel_sizes(affine)
    if np.all(np.abs(factor - 1) < SPACING_TOLERANCE):
        return arrays, label, affine
    images = [resample(array.astype(np.float32), factor) for array in arrays]
    if label is not None:
        bits = [resample(((label & bit) > 0).astype(np.float32), factor) >= 0.5 for bit in (1, 2, 4)]
        label = (np.stack(bits) * np.array([1, 2, 4], np.uint8)[:, None, None, None]).sum(0, dtype=np.uint8)
    step = np.eye(4)
    step[:3, :3] = np.diag(factor)
    step[:3, 3] = (factor - 1) / 2
    return images, label, affine @ step


def resample(array: Array, factor: Array) -> Array:
    """float32 (D, H, W) on a grid `factor` times coarser per axis: block means where the factor is whole, else linear
    after smoothing against aliasing. Voxel o lies at factor·o + (factor − 1)/2 of the source."""
    whole = np.round(factor)
    if np.all(whole >= 1) and np.all(np.abs(factor - whole) < SPACING_TOLERANCE * whole):
        steps = whole.astype(int)
        array = np.pad(array, [(0, -size % step) for size, step in zip(array.shape, steps, strict=True)])
        blocks = [part for size, step in zip(array.shape, steps, strict=True) for part in (size // step, step)]
        return np.asarray(array.reshape(blocks).mean((1, 3, 5), dtype=np.float32))
    shape = tuple(max(1, round(size / f)) for size, f in zip(array.shape, factor, strict=True))
    smooth = ndimage.gaussian_filter(array, [max(0.0, 0.4 * (f - 1)) for f in factor])
    return np.asarray(ndimage.affine_transform(smooth, factor, (factor - 1) / 2, output_shape=shape, order=1))


def _to_int16(array: Array, name: str) -> Array:
    """The voxels as they are if they fit; else raised above 0 and scaled to at most 32,000 (a step of 3e-5).

    Background stays 0, and what is not background is 1 or more.
    """
    image, lowest, whole = array != 0, array.min(), np.issubdtype(array.dtype, np.integer)
    if lowest < 0:
        wide = array.astype(np.int64) + 1 if whole else array.astype(np.float64)  # a float's lowest, 0, becomes 1 below
        array = np.where(image, wide - lowest, 0)
    if whole and array.max() <= 32767:
        return array.astype(np.int16)
    peak = float(array.max())
    if peak == 0:
        raise DataError(name, "every voxel 0 found → an image expected", "Replace the file or leave the case out")
    scaled = np.rint(array * (32000.0 / peak))
    scaled[image & (scaled == 0)] = 1
    return scaled.astype(np.int16)


def _statistics(voxels: Array, names: list[str]) -> tuple[Array, Array]:
    """Mean and 1/sd (population) over each channel's non-zero voxels, as MONAI's NormalizeIntensity(nonzero=True)."""
    means, inverse = [], []
    for channel, name in zip(voxels, names, strict=True):
        inside = channel[channel != 0].astype(np.float64)
        if inside.size < 2 or inside.std() == 0:
            raise DataError(
                name, f"{inside.size} voxels that differ from 0, all of the same value, found → an image expected",
                "Replace the file or leave the case out",
            )  # fmt: skip
        means.append(inside.mean())
        inverse.append(1 / inside.std())
    return np.array(means), np.array(inverse)


def brain_box(voxels: Array, label: Array | None) -> tuple[slice, slice, slice]:
    """Bounding box (3 slices) of the voxels that at least half of the modalities show, and of the label.

    Half, not all: in real sets one sequence can lack a third of the brain; not any: stray voxels reach the border.
    """
    shown = (voxels != 0).sum(0) * 2 >= len(voxels)
    if label is not None:
        shown |= label != 0
    places = [np.flatnonzero(shown.any(axis=tuple(a for a in range(3) if a != axis))) for axis in range(3)]
    first, second, third = (slice(int(p[0]), int(p[-1]) + 1) for p in places)
    return first, second, third
