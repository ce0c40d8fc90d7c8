"""BraTS of every year: folders of cases, a survival table, a name mapping."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Sequence
from pathlib import Path

from glioma_os.cohorts.clinical import Row, parse_age, parse_extent, read_table
from glioma_os.cohorts.cohort import Cohort
from glioma_os.cohorts.crosswalk import with_names
from glioma_os.cohorts.faults import each_row
from glioma_os.cohorts.outcomes import check_median, parse_survival
from glioma_os.cohorts.patient_ids import patient_of
from glioma_os.errors import ConfigError, DataError
from glioma_os.records import Case, Clinical, Modality, Outcome
from glioma_os.volumes.conventions import SEGMENTATION_ALIASES, modality_of

# Folder name → (release, patient id group). The first that fits.
RELEASES: tuple[tuple[str, str], ...] = (
    ("2017", r"(Brats17_.+)"), ("2018", r"(Brats18_.+)"), ("2019", r"(BraTS19_.+)"),
    ("2020", r"(BraTS20_(?:Training|Validation|Testing)_\d+)"), ("2021", r"(BraTS2021_\d+)"),
    ("2023", r"(BraTS-GLI-\d+)-\d+"),
)  # fmt: skip
# Files whose published name breaks the rule of their release.
ODD_LABELS = {"BraTS20_Training_355": "W39_1998.09.19_Segm.nii"}
ID_COLUMNS = (
    "Brats17ID",
    "BraTS17ID",
    "Brats18ID",
    "BraTS18ID",
    "BraTS19ID",
    "Brats20ID",
    "BraTS20ID",
    "BraTS21ID",
    "id",
)
SURVIVAL_COLUMNS = ("Survival", "Survival_days")
RESECTION_COLUMNS = ("ResectionStatus", "Extent_of_Resection")
WITHOUT_SURVIVAL = "survival_evaluation"  # the tables of validation and test cases, whose survival is kept back


def _folder(root: str | Path | None) -> Path:
    if root is None:
        raise ConfigError(
            "cohort.root", "not set → a BraTS folder expected",
            "Set cohort.root=FOLDER, or GLIOMA_OS_BRATS2020 (GLIOMA_OS_BRATS2018 for pre-training)",
        )  # fmt: skip
    path = Path(root)
    if not os.path.isdir(path):
        raise ConfigError(
            "cohort.root", f"no folder {str(root)!r} found → a BraTS folder expected",
            "Set cohort.root=FOLDER, or GLIOMA_OS_BRATS2020 (GLIOMA_OS_BRATS2018 for pre-training)",
        )  # fmt: skip
    return path


def _release_of(name: str) -> tuple[str, str] | None:
    """(release, patient id) of a case folder's name; None for any other folder."""
    for release, pattern in RELEASES:
        match = re.fullmatch(pattern, name)
        if match:
            return release, match[1]
    return None


def _beside(root: Path, given: str | Path | None, key: str, names: Sequence[str], pattern: str) -> Path | None:
    """The file given, else the first of these names in the folder, else the only one that fits the pattern."""
    if given is not None:
        return Path(given)
    published = [root / name for name in names if os.path.isfile(root / name)]
    others = sorted(root.glob(pattern))
    if not published and len(others) > 1:
        found = ", ".join(path.name for path in others)
        raise DataError(root, f"{found} found → one file expected", f"Set {key} to the right one")
    return next(iter([*published, *others]), None)


def survival_rows(path: Path) -> dict[str, tuple[Clinical, Outcome | None]]:
    """Case id → what a BraTS survival table of any year says of it.

    The tables of validation and test cases (`survival_evaluation…`) have no survival: their outcome is None.
    """
    required = [("Age",)] if path.name.lower().startswith(WITHOUT_SURVIVAL) else [("Age",), SURVIVAL_COLUMNS]
    rows = read_table(path, ID_COLUMNS, required)
    return dict(zip((row.id for row in rows), each_row(path, rows, _clinical), strict=True))


def _clinical(row: Row) -> tuple[Clinical, Outcome | None]:
    extent = parse_extent(*row.at(*RESECTION_COLUMNS))
    return Clinical(age_years=parse_age(*row.at("Age")), extent=extent), parse_survival(*row.at(*SURVIVAL_COLUMNS))


class BratsCohort(Cohort):
    """A BraTS folder of any release from 2017 on, recognised by its case folders' names.

    `survival` and `name_mapping` are found in the folder if not given. `limit`: only these case ids. Cases without a
    row keep `outcome` None; rows without images are listed as excluded.
    """

    def __init__(
        self, root: str | Path | None, release: str = "auto", survival: str | Path | None = None,
        name_mapping: str | Path | None = None, label_coding: str | None = None, limit: Sequence[str] | None = None,
        name: str | None = None,
    ) -> None:  # fmt: skip
        self.root = _folder(root)
        found = {
            path.name: (path, *found_release) for path in self._folders() if (found_release := _release_of(path.name))
        }
        if not found:
            raise DataError(self.root, "no case folder found → names such as BraTS20_Training_001 expected",
                            "Point cohort.root at the folder that holds the cases (or HGG and LGG)")  # fmt: skip
        releases = sorted({found_release for _, found_release, _ in found.values()})
        if release == "auto":
            if len(releases) > 1:
                raise DataError(
                    self.root, f"cases of releases {releases} found → one release expected", "Set cohort.release"
                )
            release = releases[0]
        self._found = {
            case: (path, patient) for case, (path, found_release, patient) in found.items() if found_release == release
        }
        if not self._found:
            raise ConfigError(
                "cohort.release", f"{release!r} found → one of {releases} in {self.root} expected", "Correct the value"
            )
        self.release, self.name = release, name or f"brats{release}"
        self.label_coding = label_coding or f"brats{release}"
        tables = ("survival_info.csv", "survival_data.csv")
        self._survival = _beside(self.root, survival, "cohort.survival", tables, "survival_*.csv")
        mappings = ("name_mapping.csv",)
        self._mapping = _beside(self.root, name_mapping, "cohort.name_mapping", mappings, "name_mapping*.csv")
        self._limit = None if limit is None else list(limit)

    def _folders(self) -> list[Path]:
        return [
            path for pattern in ("*", "HGG/*", "LGG/*") for path in sorted(self.root.glob(pattern)) if path.is_dir()
        ]

    def _read(self) -> tuple[list[Case], list[tuple[str, str]]]:
        table = survival_rows(self._survival) if self._survival else {}
        cases = []
        for case_id, (folder, patient) in self._found.items():
            images, label = _files(folder)
            clinical, outcome = table.get(case_id, (Clinical(), None))
            parts = case_id.split("_")
            site = parts[1] if self.release in ("2017", "2018", "2019") and len(parts) > 2 else None
            cases.append(Case(case_id, patient, self.name, site, images, label, clinical, outcome))
        excluded = [(row, "no images") for row in sorted(table.keys() - self._found.keys())]
        self._check_padding([row for row, _ in excluded])
        if self._survival:
            check_median(self._survival, SURVIVAL_COLUMNS[-1], cases)
        return self._apply_limit(cases), [] if self._limit else excluded

    def _check_padding(self, unknown: list[str]) -> None:
        """`BraTS20_Training_1` for `_001` is a slip, not a missing case."""
        short = {re.sub(r"(?<=_)0+(?=\d)", "", name): name for name in self._found}
        for row in unknown:
            twin = short.get(re.sub(r"(?<=_)0+(?=\d)", "", row))
            if twin:
                raise DataError(
                    self._survival, f"id {row!r} found → {twin!r} expected", "Pad the ids as the folders do"
                )

    def _apply_limit(self, cases: list[Case]) -> list[Case]:
        if self._limit is None:
            return cases
        known = {case.case_id: case for case in cases}
        for wanted in self._limit:
            if wanted not in known:
                near = difflib.get_close_matches(wanted, known, 1)
                raise ConfigError("cohort.limit", f"unknown id {wanted!r} found", f"Did you mean {near or '…'}?")
        return [known[wanted] for wanted in dict.fromkeys(self._limit)]

    def aliases(self) -> dict[str, frozenset[str]]:
        """Own ids and, through the name mapping, those of other releases and TCIA."""
        return with_names(super().aliases(), self._mapping)


def _files(folder: Path) -> tuple[dict[Modality, Path], Path | None]:
    """Modality → file, and the mask. The same sequence twice (.nii and .nii.gz) is an error."""
    images: dict[Modality, Path] = {}
    label = None
    for path in sorted(folder.glob("*.nii*")):
        token = re.split(r"[_-]", re.sub(r"\.nii(\.gz)?$", "", path.name))[-1]
        modality = modality_of(token)
        if token.lower() in SEGMENTATION_ALIASES or path.name.startswith(ODD_LABELS.get(folder.name, "\0")):
            if label is not None:
                raise DataError(path, f"a second mask beside {label.name} found → one per case expected", "Remove one")
            label = path
        elif modality is not None:
            if modality in images:
                raise DataError(
                    path, f"{modality} found twice, also as {images[modality].name} → one file expected", "Remove one"
                )
            images[modality] = path
    return images, label


class BratsTableCohort(Cohort):
    """A BraTS survival table alone: patients with age, resection and survival, and no images."""

    modalities = ()

    def __init__(self, table: str | Path, name_mapping: str | Path | None = None, name: str = "brats_table") -> None:
        self.table, self._mapping, self.name = Path(table), Path(name_mapping) if name_mapping else None, name

    def _read(self) -> tuple[list[Case], list[tuple[str, str]]]:
        rows = survival_rows(self.table)
        cases = [
            Case(case_id, patient_of(case_id), self.name, None, clinical=clinical, outcome=outcome)
            for case_id, (clinical, outcome) in rows.items()
        ]
        check_median(self.table, SURVIVAL_COLUMNS[-1], cases)
        return cases, []

    def aliases(self) -> dict[str, frozenset[str]]:
        """Own ids and those the name mapping adds."""
        return with_names(super().aliases(), self._mapping)
