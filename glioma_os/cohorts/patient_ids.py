"""Ids of public sources: their formats, and the patient of a scan's or sample's id."""

from __future__ import annotations

import re

from glioma_os.errors import ConfigError, DataError

# In a column of any name, a cell of such a shape is a patient's name and nothing else.
PUBLIC_ID = re.compile(
    r"Brats1[78]_\w+|BraTS19_\w+|BraTS20_(Training|Validation|Testing)_\d+|BraTS2021_\d+|BraTS-GLI-\d+(-\d+)?"
    r"|(?i:TCGA[-._][A-Z0-9]{2}[-._][A-Z0-9]{4}([-._].*)?)|UPENN-GBM-\d{5}(_\d\d)?|UCSF-PDGM-\d{3,4}(_FU\d+d)?",
    re.ASCII,
)
# A TCGA barcode of a patient or of any sample, in the spelling of any portal or program.
TCGA = re.compile(r"TCGA[-._]([A-Z0-9]{2})[-._]([A-Z0-9]{4})([-._].*)?", re.IGNORECASE | re.ASCII)
# The patient, then what names a sample, session or scan of that patient.
SAMPLES = (
    re.compile(r"(C3[LN]-\d{5})-\d\d", re.ASCII),
    re.compile(r"(BraTS-GLI-\d+)-\d+", re.ASCII),
    re.compile(r"(UPENN-GBM-\d{5})_\d\d", re.ASCII),
    re.compile(r"(UCSF-PDGM-\d{3,4})_FU\d+d", re.ASCII),
    re.compile(r"(RHUH-\d{4})_\d", re.ASCII),
    re.compile(r"(UCSD-PTGBM-\d{4})_\d\d", re.ASCII),
    re.compile(r"(PatientID_\d{4})_Timepoint_\d+", re.ASCII),
)


def compile_pattern(pattern: str, key: str, groups: int = 1) -> re.Pattern[str]:
    """A regular expression of the configuration; one that is none, or has fewer groups, is a ConfigError."""
    try:
        found = re.compile(pattern)
    except (re.error, TypeError) as fault:
        raise ConfigError(key, f"{pattern!r} found → a regular expression expected ({fault})",
                          "Correct the pattern; a plain [ is written \\[") from fault  # fmt: skip
    if found.groups < groups:
        raise ConfigError(key, f"{pattern!r} found → a group in round brackets expected", "Put the part into ( )")
    return found


def patient_of(name: str, pattern: re.Pattern[str] | None = None, where: str = "") -> str:
    """The patient that an id names: the first group of `pattern`, else the patient of a public sample or scan id."""
    if pattern is not None:
        match = pattern.fullmatch(name)
        if not match or not match[1]:
            raise DataError(where, f"id {name!r} found → {pattern.pattern} expected", "Correct cohort.patient_pattern")
        return match[1]
    if barcode := TCGA.fullmatch(name):
        return f"TCGA-{barcode[1]}-{barcode[2]}".upper()
    match = next((match for shape in SAMPLES if (match := shape.fullmatch(name))), None)
    return match[1] if match else name
