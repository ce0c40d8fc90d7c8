"""The only reader of raw images. Strict: other readers fill a cut-off file with zeros and stop before its checksum."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError
from nibabel.volumeutils import apply_read_scaling

from glioma_os.errors import DataError
from glioma_os.records import Array
from glioma_os.volumes.atomic import atomic_write

GZIP_MAGIC = b"\x1f\x8b"
HEADER_BYTES, FIRST_VOXEL = 348, 352
LARGEST_SIDE, LARGEST_VOXELS = 4096, 2**28
LARGEST_EXTENSION = 2**26  # bytes between header and voxels
LARGEST_FILE = 8 * LARGEST_VOXELS + LARGEST_EXTENSION
SPACING_MM = (0.05, 20.0)
FORM_TOLERANCE_MM = 1e-3
LEAST_STRAIGHT = 0.9  # volume of a voxel over the product of its sides: 1 for axes at right angles
REPLACE = "Fetch or export the file again"


class _Header(nib.Nifti1Header):
    """Takes a quaternion that writers in single precision left a little longer than 1."""

    quaternion_threshold = np.float64(-1e-4)


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

    gzip is recognised by content, not by name. Trailing axes of length one are dropped.
    """
    path = Path(path)
    raw, plain, header = _read(path, ndim)
    affine = _affine(header, path)
    data = _voxels(plain, header, ndim)
    if not np.issubdtype(data.dtype, np.integer):
        with np.errstate(over="ignore"):  # what is too large for float32 is found below
            data = data.astype(np.float32)
        bad = ~np.isfinite(data)
        if bad.any():
            first = tuple(int(i) for i in np.argwhere(bad)[0])
            raise DataError(
                path, f"{int(bad.sum())} voxels NaN or infinite found, the first at {first} → finite values expected",
                "Export the image again, or replace these voxels deliberately",
            )  # fmt: skip
    return NiftiImage(data, affine, hashlib.sha256(raw).hexdigest(), path)


def _read(path: Path, ndim: int) -> tuple[bytes, bytes, _Header]:
    """The file, its NIfTI bytes and their header, which is read first: no more is inflated than it announces."""
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise DataError(path, f"{size:,} bytes found → at most {LARGEST_FILE:,} expected", REPLACE)
        raw = path.read_bytes()
    except OSError as fault:
        raise DataError(path, f"cannot be read ({fault.strerror})", "Check the path and its permissions") from fault
    if not raw:
        raise DataError(path, "an empty file found → a NIfTI image expected", REPLACE)
    packed = raw[:2] == GZIP_MAGIC
    header = _header(_inflate(raw, HEADER_BYTES, path) if packed else raw, path, ndim)
    needed = _bytes_needed(header)
    plain = _inflate(raw, needed + 1, path) if packed else raw
    if len(plain) < needed:
        raise DataError(path, f"file ended early at {len(plain)} of {needed} bytes", REPLACE)
    if len(plain) > needed:
        raise DataError(
            path,
            f"more bytes than the {needed} that the header announces → one image per file expected",
            "Split or convert it",
        )
    _check_extension(plain, int(header["vox_offset"]), path)
    return raw, plain, header


def _check_extension(plain: bytes, offset: int, path: Path) -> None:
    """What byte 348 announces must end before the first voxel (NIfTI-1: its size stands at byte 352)."""
    if plain[HEADER_BYTES] == 0:
        return
    sizes = [int.from_bytes(plain[FIRST_VOXEL : FIRST_VOXEL + 4], order) for order in ("little", "big")]
    if min(sizes) > offset - FIRST_VOXEL or offset == FIRST_VOXEL:
        raise DataError(
            path,
            f"vox_offset {offset} found → an offset after the header extension of {min(sizes)} bytes expected",
            REPLACE,
        )


def _inflate(raw: bytes, most: int, path: Path) -> bytes:
    """At most so many bytes of a gzip file. Where it holds fewer, all its checksums were right."""
    try:
        stream = zlib.decompressobj(16 + zlib.MAX_WBITS)
        plain = stream.decompress(raw, most)
        if not stream.eof and len(plain) < most:
            raise DataError(path, f"gzip stream ended early at {len(raw)} bytes, {len(plain)} decompressed", REPLACE)
        if stream.eof and stream.unused_data.strip(b"\0"):
            # Further gzip members are legal; anything else is junk.
            with gzip.GzipFile(fileobj=io.BytesIO(raw)) as members:
                plain = members.read(most)
        return plain
    except (zlib.error, gzip.BadGzipFile, EOFError) as fault:
        raise DataError(path, f"gzip checksum (CRC) or stream is wrong ({fault})", REPLACE) from fault


def _bytes_needed(header: _Header) -> int:
    """Bytes up to the last voxel."""
    shape = header["dim"][1 : 1 + int(header["dim"][0])]
    return int(header["vox_offset"]) + int(np.prod(shape, dtype=np.int64)) * int(header.get_data_dtype().itemsize)


def _header(plain: bytes, path: Path, ndim: int) -> _Header:
    """Checks size, type and layout before a byte of voxels is allocated."""
    try:
        header = _Header(plain[:HEADER_BYTES], check=False)
        sizeof = int(header["sizeof_hdr"])
        dtype = header.get_data_dtype()
    except (HeaderDataError, nib.wrapstruct.WrapStructError, ValueError, KeyError) as fault:
        raise DataError(path, f"not a NIfTI header ({fault})", REPLACE) from fault
    magic = bytes(header["magic"].item())[:3]
    if sizeof != HEADER_BYTES or magic not in (b"n+1", b"ni1"):
        raise DataError(path, "no NIfTI-1 header found → a NIfTI image expected", REPLACE)
    if magic == b"ni1":
        raise DataError(
            path, "one file of a pair (.hdr, .img) found → a single .nii or .nii.gz expected", "Convert the pair"
        )
    shape = tuple(int(n) for n in header["dim"][1 : 1 + max(0, min(7, int(header["dim"][0])))])
    kept, rest = shape[:ndim], shape[ndim:]
    if len(kept) != ndim or any(n != 1 for n in rest):
        raise DataError(path, f"shape {shape} found → {ndim} axes expected", "Split or convert the file")
    if any(not 1 <= n <= LARGEST_SIDE for n in kept):
        raise DataError(path, f"shape {shape} found → sides of 1 to {LARGEST_SIDE} expected", REPLACE)
    if np.prod(kept, dtype=np.int64) > LARGEST_VOXELS:
        raise DataError(path, f"shape {shape} found → at most {LARGEST_VOXELS:,} voxels expected", REPLACE)
    if dtype.kind not in "iuf":
        raise DataError(path, f"voxel type {dtype} found → integers or floats expected", "Convert the file")
    offset = float(header["vox_offset"])
    if not FIRST_VOXEL <= offset <= FIRST_VOXEL + LARGEST_EXTENSION or offset % 1:
        raise DataError(
            path, f"vox_offset {offset:g} found → an offset of the first voxel of {FIRST_VOXEL} or more expected",
            REPLACE,
        )  # fmt: skip
    slope = float(header["scl_slope"])
    if np.isinf(slope) or (not np.isnan(slope) and slope != 0 and not np.isfinite(float(header["scl_inter"]))):
        raise DataError(
            path, f"scl_slope {slope}, scl_inter {float(header['scl_inter'])} found → finite expected", REPLACE
        )
    return header


def _voxels(plain: bytes, header: _Header, ndim: int) -> Array:
    """First axis fastest in the file; scaled where the header says so."""
    shape = tuple(int(n) for n in header["dim"][1 : 1 + ndim])
    count, offset = int(np.prod(shape, dtype=np.int64)), int(header["vox_offset"])
    stored = np.frombuffer(plain, header.get_data_dtype(), count, offset).reshape(shape, order="F")
    return apply_read_scaling(stored, *header.get_slope_inter())


def _forms(header: _Header, path: Path) -> list[Array]:
    """sform and qform, as far as they are coded; a qform that cannot be read counts only where there is no sform."""
    forms, faults = [], []
    readers: tuple[Callable[..., Any], ...] = (header.get_sform, header.get_qform)
    for read in readers:
        try:
            with np.errstate(all="ignore"):
                form = read(coded=True)[0]
        except (HeaderDataError, ValueError, np.linalg.LinAlgError) as fault:
            faults.append(fault)
            continue
        if form is not None:
            forms.append(np.asarray(form, np.float64))
    if not forms and faults:
        raise DataError(path, f"affine unreadable ({faults[0]})", "Write a valid affine") from faults[0]
    if not forms:
        raise DataError(path, "qform and sform codes both 0 found → an orientation expected", "Write a valid affine")
    return forms


def _affine(header: _Header, path: Path) -> Array:
    """The affine both forms agree on, sane in size and shape."""
    forms = _forms(header, path)
    affine = forms[0]
    if not np.isfinite(affine).all():
        raise DataError(path, f"affine {affine.tolist()} found → finite numbers expected", "Write a valid affine")
    if abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise DataError(
            path, f"singular affine {affine.tolist()} found → three independent axes expected", "Write a valid affine"
        )
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    straight = abs(np.linalg.det(affine[:3, :3])) / spacing.prod()
    if straight < LEAST_STRAIGHT:
        raise DataError(
            path, f"sheared affine {affine[:3].round(4).tolist()} found → orthogonal axes expected",
            "Resample the image onto an orthogonal grid",
        )  # fmt: skip
    if len(forms) == 2 and np.abs(forms[0] - forms[1]).max() > FORM_TOLERANCE_MM:
        raise DataError(
            path, f"qform {forms[1].round(4).tolist()} found → sform {affine.round(4).tolist()} expected",
            "Make qform and sform the same",
        )  # fmt: skip
    if (spacing < SPACING_MM[0]).any() or (spacing > SPACING_MM[1]).any():
        raise DataError(
            path,
            f"spacing {spacing.round(4).tolist()} mm found → {SPACING_MM[0]:g} to {SPACING_MM[1]:g} mm expected",
            "Correct the header",
        )
    return affine


def write_nifti(path: Path, data: Array, affine: Array) -> None:
    """Writes .nii or .nii.gz with a fresh header: no free text, the same bytes every time.

    Both forms are set, but for a sheared affine, which a qform cannot hold.
    """
    image = nib.Nifti1Image(np.ascontiguousarray(data), affine)
    image.set_sform(affine, 1)
    image.set_qform(affine, 1)
    if not np.abs(image.header.get_qform() - affine).max() <= FORM_TOLERANCE_MM:
        image.set_qform(None, 0)
    image.header.set_xyzt_units("mm", "sec")
    plain = image.to_bytes()
    atomic_write(path, gzip.compress(plain, 6, mtime=0) if path.name.endswith(".gz") else plain)
