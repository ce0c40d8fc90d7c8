"""How well a segmenter does on patients it was not trained on, on the scanner's own grid, and one slice of each."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from glioma_os.data.prepared import PreparedCohort
from glioma_os.pipeline.segmenter import Segmenter
from glioma_os.records import Case, Modality, Region
from glioma_os.reporting.result_files import DICE, csv_bytes
from glioma_os.training.options import TrainerOptions
from glioma_os.training.progress import track
from glioma_os.volumes.atomic import PRIVATE, atomic_write
from glioma_os.volumes.background import without_background
from glioma_os.volumes.conventions import coding
from glioma_os.volumes.dice import dice
from glioma_os.volumes.native import to_native
from glioma_os.volumes.nifti import read_nifti, write_nifti
from glioma_os.volumes.store import StoredVolume

SLICES = "slices.npz"


def predict_native(
    network: Any, volume: StoredVolume, channels: tuple[str, ...], trainer: TrainerOptions
) -> np.ndarray:
    """Region probabilities (3, *native shape) of one stored case."""
    from glioma_os.networks.inference import segment

    image = torch.from_numpy(volume.window((0, 0, 0), volume.shape, channels))[None].to(trainer.device())
    with trainer.autocast():
        probabilities = segment(network, image)[0].float().cpu().numpy()
    return to_native(probabilities, volume)


def score_segmenter(
    segmenter: Segmenter, data: PreparedCohort, patients: Sequence[str], trainer: TrainerOptions
) -> None:
    """Writes dice.csv (case, Dice and millilitres per region) and slices.npz (each case's largest tumour slice)."""
    network = segmenter.load(trainer)
    cases = {case.case_id: case for case in data.cases(frozenset(patients))}
    volumes = data.labelled(frozenset(patients))
    rows: list[list[object]] = []
    slices: dict[str, Any] = {}
    for volume in track(volumes, len(volumes), f"Scoring {len(volumes)} held-out cases"):
        case = cases[volume.case_id]
        predicted = predict_native(network, volume, segmenter.channels, trainer) >= 0.5
        assert case.label is not None  # `labelled` volumes have masks
        label = read_nifti(case.label)
        reference = coding(str(data.cohort.label_coding)).regions(label.data, str(case.label))
        voxel_ml = abs(np.linalg.det(volume.native_affine[:3, :3])) / 1000
        rows.append(
            [case.case_id, *dice(predicted, reference).round(4), *(predicted.sum((1, 2, 3)) * voxel_ml).round(2),
             *(reference.sum((1, 2, 3)) * voxel_ml).round(2)]
        )  # fmt: skip
        slices[case.case_id] = _largest_slice(case, Modality(segmenter.channels[0]), predicted, reference)
    header = ["case_id", *(f"dice_{r}" for r in Region), *(f"predicted_ml_{r}" for r in Region),
              *(f"reference_ml_{r}" for r in Region)]  # fmt: skip
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **slices)
    atomic_write(segmenter.run.path(SLICES), buffer.getvalue(), PRIVATE)
    atomic_write(segmenter.run.path(DICE), csv_bytes(header, rows), PRIVATE)


def _largest_slice(case: Case, channel: Modality, predicted: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """(3, H, W) uint8: the first channel's axial slice through most tumour, predicted and reference region bits."""
    source = read_nifti(case.images[channel])
    image = without_background(source.data, source.affine, source.path).astype(np.float32)
    place = int(np.argmax((reference[1] | predicted[1]).sum((0, 1))))
    plane = image[:, :, place]
    top = np.percentile(plane[plane != 0], 99.5) if (plane != 0).any() else 1.0
    bits = np.array([1, 2, 4], np.uint8)[:, None, None]
    masks = [(m[:, :, :, place] * bits).sum(0, dtype=np.uint8) for m in (predicted, reference)]
    return np.stack([np.clip(plane / top * 255, 0, 255).astype(np.uint8), *masks])


def write_masks(segmenter: Segmenter, data: PreparedCohort, folder: Path, trainer: TrainerOptions) -> int:
    """Label maps of every case as NIfTI on its own grid with its own affine, BraTS 2017–2020 coding; how many."""
    network = segmenter.load(trainer)
    volumes = data.volumes()
    for volume in track(volumes, len(volumes), "Writing masks"):
        regions = predict_native(network, volume, segmenter.channels, trainer) >= 0.5
        write_nifti(
            folder / f"{volume.case_id}_seg.nii.gz", coding("brats2020").label_map(regions), volume.native_affine
        )
    return len(volumes)
