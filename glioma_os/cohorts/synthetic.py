"""Cohorts whose truth is known: phantoms written in BraTS naming, and survival that follows a law of age and imaging.

log(OS days) = 5.74 − .36·.96·age_z − signal·.96·imaging_z + noise, total sd .96: mean, sd and the correlation with age
are those of BraTS2020. `imaging_z` is mostly log tumour volume, with some necrotic share of the core: what a segmenter
must see to do its work; `signal` is its correlation with log survival, 0 = survival knows nothing of the images.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from glioma_os.cohorts.besta import BestaCohort
from glioma_os.cohorts.brats import BratsCohort
from glioma_os.cohorts.cohort import Cohort
from glioma_os.cohorts.phantom import Scanner, Tumour, acquire, anatomy, grid_affine, grow_tumour
from glioma_os.errors import ConfigError
from glioma_os.records import Array, Modality
from glioma_os.volumes.atomic import draft_beside, sweep_drafts
from glioma_os.volumes.nifti import write_nifti

RECIPE = 1  # raise when a change alters what is drawn
MEAN_LOG_DAYS, SD_LOG_DAYS, AGE_CORRELATION = 5.74, 0.96, 0.36
VOLUME_WEIGHT, NECROSIS_WEIGHT = 0.95, 0.31  # of two independent unit normals: their sum has variance 1
FILE_NAMES = {Modality.T1C: "t1ce", Modality.T1: "t1", Modality.T2: "t2", Modality.FLAIR: "flair"}
SITES = {
    "CBICA": Scanner(gain=300, noise=0.08),
    "TCIA01": Scanner(gain=180, noise=0.12, gamma=1.1, bias=0.09),
    "2013": Scanner(gain=90, noise=0.15, gamma=0.9),
}
HOSPITAL = Scanner(gain=120, noise=0.14, gamma=1.15, bias=0.12, blur_mm=5.0)
Progress = Callable[[Iterable[Any], int, str], Iterable[Any]]


@dataclass(frozen=True)
class Patient:
    """One drawn patient; `number` fixes every draw, so that two cohorts can hold the same patient."""

    number: int
    age_years: float
    tumour: Tumour
    time_days: int
    event: bool
    gross_total: bool
    site: str
    low_grade: bool


def draw_patient(number: int, signal: float, seed: int, low_grade: bool = False) -> Patient:
    """Age, tumour and outcome by the law of this module's docstring; a tenth of the patients is censored."""
    rng = np.random.default_rng([seed, number])
    age_z, volume_z, necrosis_z, core_z, noise = np.clip(rng.standard_normal(5), -2.4, 2.4)
    imaging_z = VOLUME_WEIGHT * volume_z + NECROSIS_WEIGHT * necrosis_z
    rest = np.sqrt(1 - AGE_CORRELATION**2 - signal**2)
    log_days = MEAN_LOG_DAYS + SD_LOG_DAYS * (-AGE_CORRELATION * age_z - signal * imaging_z + rest * noise)
    whole_ml = min(84 * np.exp(0.6 * volume_z), 240.0)
    core_ml = whole_ml / (1 + np.exp(0.25 - 0.5 * core_z))
    necrosis_ml = core_ml / (1 + np.exp(0.7 - 0.9 * necrosis_z))
    if low_grade:  # hardly enhancing
        necrosis_ml = 0.93 * core_ml
    tumour = Tumour(necrosis_ml, core_ml - necrosis_ml, whole_ml - core_ml)
    event = bool(rng.random() >= 0.1)
    days = np.exp(log_days) * (1.0 if event else rng.uniform(0.4, 0.95))
    return Patient(
        number=number, age_years=round(float(60 + 12 * age_z), 3), tumour=tumour, time_days=max(5, round(days)),
        event=event, gross_total=bool(rng.random() < 0.5), site=list(SITES)[rng.integers(len(SITES))],
        low_grade=low_grade,
    )  # fmt: skip


def draw_images(
    patient: Patient, modalities: tuple[Modality, ...], scanner: Scanner, spacing_mm: float, seed: int
) -> tuple[dict[Modality, Array], Array]:
    """int16 images and the uint8 label map of one patient."""
    rng = np.random.default_rng([seed, patient.number, 1])
    tissue, mask = anatomy(spacing_mm, rng)
    label = grow_tumour(tissue, mask, patient.tumour, spacing_mm, rng)
    return {m: acquire(tissue, mask, label, m, scanner, spacing_mm, rng) for m in modalities}, label


def synthetic_cohort(
    kind: str,
    root: str | Path,
    patients: int,
    signal: float,
    spacing_mm: float = 4.0,
    seed: int = 7,
    progress: Progress | None = None,
) -> Cohort:
    """The cohort of that kind, drawn on first use into a folder named by its recipe.

    `brats2018`: pre-training; half of its patients stand in `brats2020` too, as in the real sets. `brats2020`: four
    sequences with survival. `besta`: a hospital's two sequences and one table.
    """  # fmt: skip
    if kind not in WRITERS:
        raise ConfigError("cohort.kind", f"{kind!r} found → one of {sorted(WRITERS)} expected", "Correct the value")
    if not 0 <= signal**2 <= 1 - AGE_CORRELATION**2:
        raise ConfigError(
            "synthetic.signal", f"{signal} found → 0 to {np.sqrt(1 - AGE_CORRELATION**2):.2f} expected",
            "Lower it: signal is the correlation of the imaging trait with log survival, besides that of age",
        )  # fmt: skip
    recipe = [RECIPE, kind, patients, signal, spacing_mm, seed]
    folder = Path(root) / f"{kind}-{hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:12]}"
    if not folder.exists():
        _write_whole(folder, partial(WRITERS[kind], patients, signal, spacing_mm, seed, progress or _silent))
    cohort: Cohort
    if kind == "besta":
        cohort = BestaCohort(table=folder / "patients.csv", name="synthetic_besta")
    else:
        cohort = BratsCohort(root=folder, name=f"synthetic_{kind}")
    cohort.imaging_signal = signal
    return cohort


def _silent(items: Iterable[Any], total: int, title: str) -> Iterable[Any]:
    return items


def _write_whole(folder: Path, write: Callable[[Path], None]) -> None:
    """Writes into a sibling and renames, so that the folder is complete or absent; one finished earlier by another
    process is kept."""
    sweep_drafts(folder.parent)
    with draft_beside(folder, folder=True) as draft:
        write(draft)
        draft.chmod(0o755)
        try:
            os.rename(draft, folder)
        except OSError:
            if not folder.exists():
                raise


def _write_cases(
    jobs: list[tuple[Patient, Path, tuple[Modality, ...], Scanner]],
    spacing_mm: float,
    seed: int,
    progress: Progress,
    title: str,
    with_label: bool,
) -> None:
    affine = grid_affine(spacing_mm)

    def write(job: tuple[Patient, Path, tuple[Modality, ...], Scanner]) -> None:
        patient, folder, modalities, scanner = job
        images, label = draw_images(patient, modalities, scanner, spacing_mm, seed)
        folder.mkdir(parents=True)
        for modality, image in images.items():
            write_nifti(folder / f"{folder.name}_{FILE_NAMES[modality]}.nii.gz", image, affine)
        if with_label:
            write_nifti(folder / f"{folder.name}_seg.nii.gz", label, affine)

    with ThreadPoolExecutor(2) as pool:
        for _ in progress(pool.map(write, jobs), len(jobs), title):
            pass


def _brats2020_patients(patients: int, signal: float, seed: int) -> list[Patient]:
    return [draw_patient(number, signal, seed) for number in range(patients)]


def _brats18_id(patient: Patient) -> str:
    return f"Brats18_{patient.site}_{patient.number:03d}_1"


def _write_brats2018(
    patients: int, signal: float, spacing_mm: float, seed: int, progress: Progress, folder: Path
) -> None:
    """Every second patient of the 2020 set, and as many low-grade ones that are in no other set."""
    shared = [draw_patient(2 * k, signal, seed) for k in range((patients + 1) // 2)]
    own = [draw_patient(10_000 + k, signal, seed, low_grade=True) for k in range(patients // 2)]
    jobs = [
        (p, folder / ("LGG" if p.low_grade else "HGG") / _brats18_id(p), tuple(Modality), SITES[p.site])
        for p in shared + own
    ]
    _write_cases(jobs, spacing_mm, seed, progress, "Drawing the synthetic 2018 set", with_label=True)


def _write_brats2020(
    patients: int, signal: float, spacing_mm: float, seed: int, progress: Progress, folder: Path
) -> None:
    drawn = _brats2020_patients(patients, signal, seed)
    names = {p.number: f"BraTS20_Training_{p.number + 1:03d}" for p in drawn}
    jobs = [(p, folder / names[p.number], tuple(Modality), SITES[p.site]) for p in drawn]
    _write_cases(jobs, spacing_mm, seed, progress, "Drawing the synthetic 2020 set", with_label=True)
    survival = [
        [names[p.number], p.age_years, p.time_days if p.event else f"ALIVE ({p.time_days} days later)",
         "GTR" if p.gross_total else "NA"]
        for p in drawn
    ]  # fmt: skip
    _write_csv(folder / "survival_info.csv", ["Brats20ID", "Age", "Survival_days", "Extent_of_Resection"], survival)
    mapping = [["HGG", _brats18_id(p) if p.number % 2 == 0 else "NA", names[p.number]] for p in drawn]
    _write_csv(folder / "name_mapping.csv", ["Grade", "BraTS_2018_subject_ID", "BraTS_2020_subject_ID"], mapping)


def _write_besta(patients: int, signal: float, spacing_mm: float, seed: int, progress: Progress, folder: Path) -> None:
    """Two sequences, one table, no masks."""
    drawn = [draw_patient(20_000 + k, signal, seed) for k in range(patients)]
    modalities: tuple[Modality, ...] = (Modality.T1C, Modality.FLAIR)
    names = [f"BESTA-{k + 1:04d}" for k in range(patients)]
    jobs = [(p, folder / "images" / name, modalities, HOSPITAL) for p, name in zip(drawn, names, strict=True)]
    _write_cases(jobs, spacing_mm, seed, progress, "Drawing the synthetic hospital set", with_label=False)
    rows = [
        [name, "hospital", p.age_years, p.time_days, int(p.event), "GTR" if p.gross_total else "", "surgery",
         f"images/{name}/{name}_t1ce.nii.gz", f"images/{name}/{name}_flair.nii.gz"]
        for p, name in zip(drawn, names, strict=True)
    ]  # fmt: skip
    header = ["patient_id", "site", "age", "os_days", "event", "eor", "os_origin", "t1c", "flair"]
    _write_csv(folder / "patients.csv", header, rows)


def _write_csv(path: Path, header: list[str], rows: list[list[Any]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    path.write_text(text.getvalue())


WRITERS = {"brats2018": _write_brats2018, "brats2020": _write_brats2020, "besta": _write_besta}
