"""Draws one patient's head: ICBM152 anatomy on the BraTS grid, a glioma in it, and what a scanner makes of both."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import ndimage

from glioma_os.records import Array, Modality

BRATS_SHAPE_MM = (240, 240, 155)

# BraTS physical (LPS mm) → ICBM152 physical (LPS mm), fitted to real BraTS brains.
BRATS_TO_ICBM = np.array(
    [
        [1.038666, 0.020509, 0.000181, -121.068239],
        [-0.048104, 0.998565, -0.219753, 148.241775],
        [0.000535, 0.219610, 1.051212, -45.319760],
        [0.0, 0.0, 0.0, 1.0],
    ]
)

TISSUES = ("csf", "gm", "wm", "necrosis", "oedema", "enhancing")

# Per modality and tissue: mean z against the brain's median and IQR, its sd between patients, its sd within a patient
# (16 real high-grade gliomas).
CONTRAST: dict[Modality, tuple[tuple[float, float, float], ...]] = {
    Modality.T1C: (
        (-0.68, 0.34, 1.43), (-0.25, 0.11, 0.97), (0.29, 0.13, 0.62),
        (-0.50, 0.43, 0.72), (-0.08, 0.46, 0.52), (1.75, 0.87, 1.13),
    ),
    Modality.T1: (
        (-0.85, 0.29, 0.97), (-0.32, 0.09, 0.84), (0.41, 0.13, 0.57),
        (-0.45, 0.53, 0.36), (0.04, 0.33, 0.42), (-0.17, 0.39, 0.37),
    ),
    Modality.T2: (
        (1.43, 0.74, 1.92), (0.30, 0.19, 1.03), (-0.05, 0.26, 0.81),
        (2.94, 1.21, 1.20), (1.31, 0.82, 0.80), (1.85, 0.85, 0.88),
    ),
    Modality.FLAIR: (
        (-0.81, 0.53, 1.41), (-0.07, 0.24, 1.07), (0.04, 0.11, 0.69),
        (3.01, 1.63, 1.17), (2.47, 1.11, 1.19), (2.91, 1.81, 1.29),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Tumour:
    """The tumour's make-up in millilitres."""

    necrosis_ml: float
    enhancing_ml: float
    oedema_ml: float


@dataclass(frozen=True)
class Scanner:
    """What a site does to the signal."""

    gain: float = 300.0
    noise: float = 0.08
    gamma: float = 1.0
    bias: float = 0.06
    blur_mm: float = 0.0


def grid_affine(spacing_mm: float) -> Array:
    """Voxel → RAS mm for the BraTS grid pooled to `spacing_mm` (voxel axes point left, posterior, superior)."""
    offset = (spacing_mm - 1) / 2
    affine = np.diag([-spacing_mm, -spacing_mm, spacing_mm, 1.0])
    affine[:3, 3] = (-offset, 239 - offset, offset)
    return affine


@lru_cache(maxsize=1)
def _icbm_maps() -> tuple[tuple[Array, Array, Array], Array]:
    from nilearn.datasets import load_mni152_gm_template, load_mni152_template, load_mni152_wm_template

    images = [load(resolution=1) for load in (load_mni152_template, load_mni152_gm_template, load_mni152_wm_template)]
    brain, gm, wm = (np.asarray(image.dataobj, dtype=np.float32) for image in images)
    return (brain, gm, wm), np.asarray(images[0].affine)


@lru_cache(maxsize=4)
def _coarse_maps(spacing_mm: float) -> tuple[Array, Array]:
    """ICBM brain, GM and WM (3, …) smoothed to the grid's resolution, so that coarse grids do not alias."""
    maps, affine = _icbm_maps()
    sigma = max(0.0, 0.4 * (spacing_mm - 1))
    return np.stack([ndimage.gaussian_filter(m, sigma) if sigma else m for m in maps]), affine


def anatomy(spacing_mm: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """One patient's tissue fractions (3, D, H, W) of CSF, GM, WM and brain mask (D, H, W): ICBM152 scaled, turned
    and gently warped."""
    shape = tuple(int(size // spacing_mm) for size in BRATS_SHAPE_MM)
    maps, icbm_affine = _coarse_maps(spacing_mm)
    voxel = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij")).reshape(3, -1).astype(np.float64)
    ras = grid_affine(spacing_mm)[:3, :3] @ voxel + grid_affine(spacing_mm)[:3, 3:]
    lps = ras * np.array([[-1.0], [-1.0], [1.0]])
    icbm = BRATS_TO_ICBM[:3, :3] @ lps + BRATS_TO_ICBM[:3, 3:]
    icbm = icbm * np.exp(rng.normal(0, 0.03, (3, 1)))
    angle = rng.normal(0, 0.04)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    icbm = turn @ icbm + np.stack([2.5 * smooth_noise(shape, 30 / spacing_mm, rng).ravel() for _ in range(3)])
    icbm_ras = icbm * np.array([[-1.0], [-1.0], [1.0]])
    index = np.linalg.inv(icbm_affine)[:3, :3] @ icbm_ras + np.linalg.inv(icbm_affine)[:3, 3:]
    brain, gm, wm = (ndimage.map_coordinates(m, index, order=1).reshape(shape) for m in maps)
    mask = ndimage.binary_fill_holes(brain > 0.25)
    gm, wm = np.clip(gm, 0, 1), np.clip(wm, 0, 1)
    return np.stack([np.clip(1 - gm - wm, 0, 1), gm, wm]) * mask, mask


def smooth_noise(shape: tuple[int, ...], sigma: float, rng: np.random.Generator) -> Array:
    """Gaussian noise (D, H, W) of unit sd whose grain is `sigma` voxels."""
    if sigma < 4:
        noise = ndimage.gaussian_filter(rng.standard_normal(shape, dtype=np.float32), sigma, truncate=2)
    else:  # a coarse lattice of random bumps, spread axis by axis
        noise = rng.standard_normal([int(size / sigma) + 4 for size in shape], dtype=np.float32)
        for axis, (size, cells) in enumerate(zip(shape, noise.shape, strict=True)):
            place = np.arange(size)[:, None] / sigma + 1.5 - np.arange(cells)[None, :]
            spread = np.exp(-(place**2), dtype=np.float32)
            noise = np.moveaxis(np.tensordot(spread, noise, axes=(1, axis)), 0, axis)
    return np.asarray((noise - noise.mean()) / noise.std())


def grow_tumour(tissue: Array, mask: Array, tumour: Tumour, spacing_mm: float, rng: np.random.Generator) -> Array:
    """Label map (D, H, W) in the BraTS 2017–2020 coding (1 necrosis, 2 oedema, 4 enhancing) with the asked volumes.

    The core grows round its centre, oedema along white matter; neither enters the ventricles before the rest is full.
    """
    depth = ndimage.distance_transform_edt(mask) * spacing_mm
    seats = np.argwhere((tissue[2] > 0.6) & (depth > 15))
    centre = seats[rng.integers(len(seats))]
    offset = np.stack(np.meshgrid(*map(np.arange, mask.shape), indexing="ij")) - centre[:, None, None, None]
    distance = np.sqrt(((offset * np.exp(rng.normal(0, 0.12, 3))[:, None, None, None]) ** 2).sum(0)) * spacing_mm
    ragged = 1 + 0.12 * smooth_noise(mask.shape, 14 / spacing_mm, rng)
    core = np.where(mask, distance * ragged * (1 + 1.5 * (tissue[0] > 0.7)), np.inf)
    spread = np.where(mask, distance * ragged * (1.5 - 0.8 * tissue[2] + 1.5 * (tissue[0] > 0.7)), np.inf)
    voxels = [round(ml * 1000 / spacing_mm**3) for ml in (tumour.necrosis_ml, tumour.enhancing_ml, tumour.oedema_ml)]
    label = np.zeros(mask.shape, np.uint8)
    order = np.argsort(core, axis=None, kind="stable")
    label.flat[order[: voxels[0]]] = 1
    label.flat[order[voxels[0] : voxels[0] + voxels[1]]] = 4
    outside = np.argsort(np.where(label > 0, np.inf, spread), axis=None, kind="stable")
    label.flat[outside[: voxels[2]]] = 2
    label[~mask] = 0
    return label


def acquire(
    tissue: Array,
    mask: Array,
    label: Array,
    modality: Modality,
    scanner: Scanner,
    spacing_mm: float,
    rng: np.random.Generator,
) -> Array:
    """int16 image (D, H, W), 0 outside the brain: tissue contrast, texture, bias field, noise and the site's ways."""
    fractions = np.concatenate([tissue * (label == 0), [label == 1, label == 2, label == 4]])
    total = np.maximum(fractions.sum(0), 1e-6)
    table = np.array(CONTRAST[modality])
    level = table[:, 0] + table[:, 1] * rng.standard_normal(len(TISSUES))
    texture = smooth_noise(mask.shape, 2.0, rng)
    # Real within-tissue spread is mostly anatomy at 1 mm; a fifth of it stays as texture on a grid that averages.
    z = (fractions * level[:, None, None, None]).sum(0) / total
    z = z + 0.2 * texture * (fractions * table[:, 2][:, None, None, None]).sum(0) / total
    signal = np.clip(4.0 + z, 0.05, None) ** scanner.gamma
    signal = signal * np.exp(scanner.bias * smooth_noise(mask.shape, 60 / spacing_mm, rng))
    if scanner.blur_mm:
        signal = ndimage.gaussian_filter(signal, (0, 0, scanner.blur_mm / spacing_mm / 2.355))
    signal = signal + scanner.noise * rng.standard_normal(mask.shape)
    return np.where(mask, np.clip(signal * scanner.gain, 1, 32767), 0).astype(np.int16)
