"""The only reader of raw images. Strict: other readers fill a cut-off file with zeros and stop before its checksum."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError

from glioma_os.errors import DataError
from glioma_os.records import Array
from glioma_os.volumes.atomic import atomic_write

GZIP_MAGIC = b"\x1f\x8b"
LARGEST_SIDE = 4096
SPACING_MM = (0.05, 20.0)
FORM_TOLERANCE_MM = 1e-3
REPLACE = "Fetch or export the file again"


@dataclass(frozen=True)
class NiftiImage:
    """`data` (D, H, W): integers as stored, or float32 where the header scales; `affine` voxel → RAS mm; `sha256` of
    the file's bytes."""

    data: Array
    affine: Array
    sha256: str
    path: Path


def read_nifti(path: Path, ndim: int = 3) -> NiftiImage:
    """Reads one image to its last byte. Anything odd is a DataError that names the file, what was found and expected.

    gzip is told by content, not by name. Trailing axes of length one are dropped.
    """
    path = Path(path)
    try:
        raw = path.read_bytes()
    except OSError as fault:
        raise DataError(path, f"cannot be read ({fault.strerror})", "Check the path and its permissions") from fault
    plain = _decompress(raw, path)
    header = _header(plain, path, ndim)
    affine = _affine(header, path)
    try:
        data = np.asanyarray(nib.Nifti1Image.from_bytes(plain).dataobj)
    except (HeaderDataError, ValueError, OSError) as fault:
        raise DataError(path, f"voxels unreadable ({fault})", REPLACE) from fault
    data = data.reshape(data.shape[:ndim])
    if not np.issubdtype(data.dtype, np.integer):
        data = data.astype(np.float32)
        bad = ~np.isfinite(data)
        if bad.any():
            first = tuple(int(i) for i in np.argwhere(bad)[0])
            raise DataError(
                path, f"{int(bad.sum())} voxels NaN or infinite found, the first at {first} → finite values expected",
                "Export the image again, or replace these voxels knowingly",
            )  # fmt: skip
    return NiftiImage(data, affine, hashlib.sha256(raw).hexdigest(), path)


def _decompress(raw: bytes, path: Path) -> bytes:
    if not raw:
        raise DataError(path, "an empty file found → a NIfTI image expected", REPLACE)
    if raw[:2] != GZIP_MAGIC:
        return raw
    try:
        stream = zlib.decompressobj(16 + zlib.MAX_WBITS)
        plain = stream.decompress(raw)
        if not stream.eof:
            raise DataError(path, f"gzip stream ended early at {len(raw)} bytes, {len(plain)} decompressed", REPLACE)
        if stream.unused_data.strip(b"\0"):
            # A second gzip member is legal; anything else is junk.
            plain = gzip.decompress(raw)
        return plain
    except (zlib.error, gzip.BadGzipFile, EOFError) as fault:
        raise DataError(path, f"gzip checksum (CRC) or stream is wrong ({fault})", REPLACE) from fault


def _header(plain: bytes, path: Path, ndim: int) -> nib.Nifti1Header:
    """Checks size, type and layout before a byte of voxels is allocated."""
    try:
        header = nib.Nifti1Header(plain[:348], check=False)
        sizeof = int(header["sizeof_hdr"])
        dtype = header.get_data_dtype()
    except (HeaderDataError, nib.wrapstruct.WrapStructError, ValueError, KeyError) as fault:
        raise DataError(path, f"not a NIfTI header ({fault})", REPLACE) from fault
    if sizeof != 348 or bytes(header["magic"].item())[:3] not in (b"n+1", b"ni1"):
        raise DataError(path, "no NIfTI-1 header found → a NIfTI image expected", REPLACE)
    shape = tuple(int(n) for n in header["dim"][1 : 1 + max(0, min(7, int(header["dim"][0])))])
    kept, rest = shape[:ndim], shape[ndim:]
    if len(kept) != ndim or any(n != 1 for n in rest):
        raise DataError(path, f"shape {shape} found → {ndim} axes expected", "Split or convert the file")
    if any(not 1 <= n <= LARGEST_SIDE for n in kept):
        raise DataError(path, f"shape {shape} found → sides of 1 to {LARGEST_SIDE} expected", REPLACE)
    if dtype.kind not in "iuf":
        raise DataError(path, f"voxel type {dtype} found → integers or floats expected", "Convert the file")
    needed = int(header["vox_offset"]) + int(np.prod(shape)) * dtype.itemsize
    if len(plain) < needed:
        raise DataError(path, f"file ended early at {len(plain)} of {needed} bytes", REPLACE)
    slope = float(header["scl_slope"])
    if np.isinf(slope) or (not np.isnan(slope) and slope != 0 and not np.isfinite(float(header["scl_inter"]))):
        raise DataError(path, f"scl_slope {slope}, scl_inter {float(header['scl_inter'])} found → finite", REPLACE)
    return header


def _affine(header: nib.Nifti1Header, path: Path) -> Array:
    """The affine both forms agree on, sane in size and shape."""
    codes = int(header["qform_code"]), int(header["sform_code"])
    if codes == (0, 0):
        raise DataError(path, "qform and sform codes both 0 found → an orientation expected", "Write a valid affine")
    try:
        forms = [
            form for form in (header.get_sform(coded=True)[0], header.get_qform(coded=True)[0]) if form is not None
        ]
    except (HeaderDataError, ValueError, np.linalg.LinAlgError) as fault:
        raise DataError(path, f"affine unreadable ({fault})", "Write a valid affine") from fault
    affine = np.asarray(forms[0], dtype=np.float64)
    if not np.isfinite(affine).all():
        raise DataError(path, f"affine {affine.tolist()} found → finite numbers expected", "Write a valid affine")
    if abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise DataError(path, f"singular affine {affine.tolist()} found → three directions", "Write a valid affine")
    if len(forms) == 2 and np.abs(forms[0] - forms[1]).max() > FORM_TOLERANCE_MM:
        raise DataError(
            path, f"qform {forms[1].round(4).tolist()} found → sform {affine.round(4).tolist()} expected",
            "Make both forms the same",
        )  # fmt: skip
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if (spacing < SPACING_MM[0]).any() or (spacing > SPACING_MM[1]).any():
        raise DataError(
            path, f"spacing {spacing.round(4).tolist()} mm found → {SPACING_MM} expected", "Correct the header"
        )
    return affine


def write_nifti(path: Path, data: Array, affine: Array) -> None:
    """Writes .nii or .nii.gz with a fresh header: both forms set, no free text, the same bytes every time."""
    image = nib.Nifti1Image(np.ascontiguousarray(data), affine)
    image.set_sform(affine, 1)
    image.set_qform(affine, 1)
    image.header.set_xyzt_units("mm", "sec")
    plain = image.to_bytes()
    atomic_write(path, gzip.compress(plain, 6, mtime=0) if path.name.endswith(".gz") else plain)
