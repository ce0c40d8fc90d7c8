"""Which patients two cohorts share: by their ids, files or voxels, by age and survival."""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from pathlib import Path

import numpy as np

from glioma_os.cohorts.cohort import Cohort
from glioma_os.records import Case, Modality
from glioma_os.volumes.atomic import sha256_file
from glioma_os.volumes.checks import Finding
from glioma_os.volumes.nifti import read_nifti

DAYS_A_YEAR = (365.0, 365.25)  # both are in use: UPENN's ages are BraTS's · 365/365.25
MOST_DECIMALS = 6
WITHIN_YEARS = 1.0  # ages of a suspected pair
NEARBY_DAYS = 30  # follow-ups that differ by 1 to so many days show how often a pair agrees by chance
SAMPLE_BYTES = 65536  # of the middle of a file, compared before the whole is read
SUSPECTED = "suspected: age within a year and the same days"
Progress = Callable[[Iterable[Case], int, str], Iterable[Case]]


@dataclass(frozen=True, order=True)
class SharedPatient:
    """One person under two ids. `evidence`: id, voxels, file, age + days (+ sex + event), or suspected."""

    own: str
    other: str
    evidence: str


def same_people(own: Cohort, other: Cohort, theirs: Collection[str] | None = None) -> set[str]:
    """Patient ids of `own` that are, under any alias of either side, among `theirs` (default: all) of `other`."""
    names = {alias for patient, ids in other.aliases().items() if theirs is None or patient in theirs for alias in ids}
    return {patient for patient, ids in own.aliases().items() if ids & names}


def shared_patients(
    own: Cohort, other: Cohort, voxels: bool = False, progress: Progress | None = None
) -> list[SharedPatient]:
    """Pairs known to be one person, each with its strongest evidence; sorted.

    Image files are compared byte by byte where their sizes agree; `voxels` also compares an image of a sequence that
    both have (every one is read), which finds copies that were compressed again. Age and days are compared last: a
    patient who was followed on between two releases has other days, and only an id, files or voxels tell.
    """
    pairs = _by_age_and_days(own.cases(), other.cases())
    pairs += [SharedPatient(case.patient_id, twin.patient_id, "file") for case, _, twin, _ in same_files(own, other)]
    if voxels:
        pairs += _by_voxels(own, other, progress or _silent)
    pairs += _by_id(own, other)
    return sorted({(pair.own, pair.other): pair for pair in pairs}.values())


def suspected_patients(
    own: Cohort, other: Cohort, certain: Iterable[SharedPatient] = ()
) -> tuple[list[SharedPatient], float]:
    """Pairs that may be one person, and how many such pairs are expected by chance; sorted.

    Age within a year, whatever its decimals, the same days of follow-up, and the same sex where both record it.
    Patients in `certain` are left out on both sides. Expected: the same pairs with follow-ups that differ by 1 to 30
    days, per day of difference. Within one cohort each pair counts once.
    """
    ours, theirs = _patients(own.cases()), _patients(other.cases())
    known = {(side, name) for pair in certain for side, name in (("own", pair.own), ("other", pair.other))}
    if own is other:
        known |= {(side, name) for _, name in known for side in ("own", "other")}
    left = [(name, case) for name, case in ours.items() if ("own", name) not in known]
    right = [(name, case) for name, case in theirs.items() if ("other", name) not in known]
    apart = [
        (first, second, abs(_days(case) - _days(twin)))
        for first, case in left
        for second, twin in right
        if (own is not other or first < second) and _alike(case, twin)
    ]
    pairs = sorted(SharedPatient(first, second, SUSPECTED) for first, second, days in apart if days == 0)
    return pairs, sum(0 < days <= NEARBY_DAYS for _, _, days in apart) / (2 * NEARBY_DAYS)


def _alike(case: Case, twin: Case) -> bool:
    """Age within a year, and no contradiction of sex."""
    sexes = {case.clinical.sex, twin.clinical.sex} - {None}
    return abs(_age(case) - _age(twin)) <= WITHIN_YEARS + 1e-9 and len(sexes) < 2


def repeated_patients(cohort: Cohort, voxels: bool = False, progress: Progress | None = None) -> list[SharedPatient]:
    """Pairs of patient ids of one cohort that are likely one person, by the same evidence; each pair once.

    Within one cohort the same whole age, days, sex and event tell too; of 400 strangers a pair at most agrees.
    """
    found = {(p.own, p.other): p for p in _by_everything_recorded(cohort)}
    found |= {(p.own, p.other): p for p in shared_patients(cohort, cohort, voxels, progress)}
    return [found[pair] for pair in sorted(found) if pair[0] < pair[1]]


def _by_everything_recorded(cohort: Cohort) -> list[SharedPatient]:
    alike = defaultdict(list)
    for patient, case in _patients(cohort.cases()).items():
        if case.clinical.sex is not None and case.outcome is not None:
            alike[_days(case), _age(case), case.clinical.sex, case.outcome.event].append(patient)
    return [
        SharedPatient(own, twin, "age + days + sex + event")
        for patients in alike.values()
        for own, twin in combinations(sorted(patients), 2)
    ]


def same_files(own: Cohort, other: Cohort) -> list[tuple[Case, Path, Case, Path]]:
    """Image files of different cases that hold the same bytes: (case, its file, the other case, its file).

    Within one cohort each pair of cases counts once, under its first pair of files.
    """
    files = list(_files(own))
    others = files if own is other else list(_files(other))
    sizes, of_others = (Counter(size for *_, size in found) for found in (files, others))
    likely = {size for size in sizes if of_others[size] > (own is other)}
    alike = defaultdict(list)
    for twin, copy, size in others:
        if size in likely:
            alike[size, _sample(copy, copy.stat().st_mtime_ns)].append((twin, copy))
    out: dict[tuple[str, str], tuple[Case, Path, Case, Path]] = {}
    for case, path, size in files:
        for twin, copy in alike[size, _sample(path, path.stat().st_mtime_ns)] if size in likely else ():
            pair = (case.case_id, twin.case_id)
            later = own is other and case.case_id >= twin.case_id
            if not later and pair not in out and _same_bytes(path, copy):
                out[pair] = (case, path, twin, copy)
    return list(out.values())


def shared_scans(cohort: Cohort) -> list[Finding]:
    """One image file in two cases: an error under two patients, who could fall into training and test."""
    out = []
    for case, path, twin, copy in same_files(cohort, cohort):
        own = case.patient_id == twin.patient_id
        out.append(Finding(
            case.case_id, path.name, "note" if own else "error",
            f"the same file as {copy.name} of case {twin.case_id} found → a separate scan expected",
            "Check which session it is" if own else "Give both cases the same patient id, or leave one out",
        ))  # fmt: skip
    return out


def _files(cohort: Cohort) -> Iterable[tuple[Case, Path, int]]:
    for case in cohort.cases():
        for path in case.images.values():
            if os.path.isfile(path) and (size := path.stat().st_size):
                yield case, path, size


def _same_bytes(path: Path, copy: Path) -> bool:
    """Whether two files of the same size and sample are alike."""
    return _whole_file(path, path.stat().st_mtime_ns) == _whole_file(copy, copy.stat().st_mtime_ns)


@cache
def _sample(path: Path, changed_ns: int) -> bytes:
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size // 2 - SAMPLE_BYTES // 2, 0))
        return hashlib.sha256(file.read(SAMPLE_BYTES)).digest()


@cache
def _whole_file(path: Path, changed_ns: int) -> str:
    return sha256_file(path)


def ages_tell(own: Cohort, other: Cohort) -> bool:
    """Whether both record ages with decimals, so that age and days identify a patient."""
    return all(_decimals(_age(case) for case in _patients(cohort.cases()).values()) for cohort in (own, other))


def _by_id(own: Cohort, other: Cohort) -> list[SharedPatient]:
    holders = defaultdict(set)
    for patient, names in other.aliases().items():
        for name in names:
            holders[name].add(patient)
    return [
        SharedPatient(patient, theirs, "id")
        for patient, names in own.aliases().items()
        for theirs in {theirs for name in names for theirs in holders.get(name, ())}
    ]


def _patients(cases: Iterable[Case]) -> dict[str, Case]:
    """Patient id → the first case with age and survival recorded."""
    out: dict[str, Case] = {}
    for case in cases:
        if case.outcome is not None and case.clinical.age_years is not None:
            out.setdefault(case.patient_id, case)
    return out


def _decimals(ages: Iterable[float]) -> int:
    """How finely a source writes ages: the most decimals that one of them needs."""
    texts = (f"{age:.{MOST_DECIMALS}f}".rstrip("0") for age in ages)
    return max((len(text.partition(".")[2]) for text in texts), default=0)


def _by_age_and_days(own: list[Case], other: list[Case]) -> list[SharedPatient]:
    """Same days of follow-up, and ages that can be roundings of one age in days.

    A source that writes whole years says too little: then nothing is matched.
    """
    ours, theirs = _patients(own), _patients(other)
    own_decimals, other_decimals = (_decimals(_age(c) for c in side.values()) for side in (ours, theirs))
    if not (own_decimals and other_decimals):
        return []
    by_days = defaultdict(list)
    for patient, case in theirs.items():
        by_days[_days(case)].append((patient, _age(case)))
    return [
        SharedPatient(patient, name, "age + days")
        for patient, case in ours.items()
        for name, age in by_days.get(_days(case), ())
        if _one_age(_age(case), own_decimals, age, other_decimals)
    ]


def _age(case: Case) -> float:
    return float(case.clinical.age_years or 0.0)


def _days(case: Case) -> float:
    return case.outcome.time_days if case.outcome else 0.0


def _one_age(first: float, first_decimals: int, second: float, second_decimals: int) -> bool:
    """Whether the ages agree as written, or some whole number of days gives both in years of 365 or 365.25."""
    if abs(first - second) <= 0.5 * (10.0**-first_decimals + 10.0**-second_decimals) + 1e-9:
        return True

    def spans(age: float, decimals: int) -> list[tuple[float, float]]:
        half = 0.5 * 10.0**-decimals + 1e-9
        return [((age - half) * year, (age + half) * year) for year in DAYS_A_YEAR]

    return any(
        np.ceil(max(low, other_low)) <= min(high, other_high)
        for low, high in spans(first, first_decimals)
        for other_low, other_high in spans(second, second_decimals)
    )


def _by_voxels(own: Cohort, other: Cohort, progress: Progress) -> list[SharedPatient]:
    common = [m for m in Modality if all(any(m in case.images for case in c.cases()) for c in (own, other))]
    if not common:
        return []
    holders = defaultdict(set)
    for digest, patient in _digests(other, common[0], progress):
        holders[digest].add(patient)
    return [
        SharedPatient(patient, theirs, "voxels")
        for digest, patient in _digests(own, common[0], progress)
        for theirs in sorted(holders.get(digest, ()))
    ]


def _digests(cohort: Cohort, modality: Modality, progress: Progress) -> Iterable[tuple[str, str]]:
    """(digest of the image, patient) of every case that has the sequence."""
    cases = [case for case in cohort.cases() if modality in case.images]
    for case in progress(cases, len(cases), f"Reading voxels of {cohort.name}"):
        path = case.images[modality]
        yield _digest(path, path.stat().st_mtime_ns), case.patient_id


@cache
def _digest(path: Path, changed_ns: int) -> str:
    """Hex sha256 of shape and voxels, whatever integer type the writer chose; each file is read once."""
    data = read_nifti(path).data
    return hashlib.sha256(repr(data.shape).encode() + data.astype("<f4").tobytes(order="C")).hexdigest()


def _silent(cases: Iterable[Case], total: int, title: str) -> Iterable[Case]:
    return cases
