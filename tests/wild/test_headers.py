"""NIfTI files whose header is wrong, or does not announce what the file holds."""

import gzip
import random
import zlib

import nibabel as nib
import numpy as np
import pytest

from glioma_os.errors import DataError
from glioma_os.volumes.nifti import read_nifti, write_nifti

AFFINE = np.diag([-4.0, -4.0, 4.0, 1.0])


def raw_image(shape=(7, 6, 5), dtype=np.int16, affine=AFFINE):
    values = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    image = nib.Nifti1Image(values, affine)
    image.set_sform(affine, 1)
    image.set_qform(affine, 1)
    return bytearray(image.to_bytes()), values


def with_fields(raw, **fields):
    header = nib.Nifti1Header(bytes(raw[:348]), check=False)
    for name, value in fields.items():
        header[name] = value
    return bytes(header.binaryblock) + bytes(raw[348:])


@pytest.mark.parametrize("offset", [0, 1, 348, 351, 352.5, -352, 1e9, np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_first_voxel_inside_the_header_or_nowhere_is_refused(tmp_path, offset, suffix):
    raw, _ = raw_image()
    path = tmp_path / f"image{suffix}"
    content = with_fields(raw, vox_offset=offset)
    path.write_bytes(gzip.compress(content) if suffix.endswith("gz") else content)
    with pytest.raises(DataError, match=r"vox_offset.*image\.nii|image\.nii.*vox_offset"):
        read_nifti(path)


def with_extension(raw, offset, size=64):
    content = with_fields(raw, vox_offset=offset)
    return content[:348] + b"\1\0\0\0" + size.to_bytes(4, "little") + b"\6\0\0\0" + b"\7" * 56 + content[352:]


def test_an_extension_before_the_voxels_is_read_over(tmp_path):
    raw, values = raw_image()
    (tmp_path / "image.nii").write_bytes(with_extension(raw, 352 + 64))
    assert np.array_equal(read_nifti(tmp_path / "image.nii").data, values)


@pytest.mark.parametrize("offset", [352, 368, 400])
def test_voxels_that_would_begin_within_an_extension_are_refused(tmp_path, offset):
    raw, _ = raw_image()
    content = with_extension(raw, offset)
    (tmp_path / "image.nii").write_bytes(content[: offset + len(raw) - 352])
    with pytest.raises(DataError, match="extension of 64 bytes"):
        read_nifti(tmp_path / "image.nii")


def test_axes_far_from_right_angles_are_refused(tmp_path):
    sheared = AFFINE.copy()
    sheared[0, 1] = 3.0
    write_nifti(tmp_path / "sheared.nii.gz", np.ones((3, 4, 5), np.int16), sheared)
    with pytest.raises(DataError, match="sheared affine"):
        read_nifti(tmp_path / "sheared.nii.gz")


@pytest.mark.parametrize("tail", [b"x", b"\0" * 100 + b"x", b"\0" * 160])
@pytest.mark.parametrize("members", [1, 2])
def test_bytes_behind_the_voxels_are_not_ignored(tmp_path, tail, members):
    raw, _ = raw_image()
    content = gzip.compress(bytes(raw) + tail) if members == 1 else gzip.compress(bytes(raw)) + gzip.compress(tail)
    for path, found in ((tmp_path / "a.nii", bytes(raw) + tail), (tmp_path / "a.nii.gz", content)):
        path.write_bytes(found)
        with pytest.raises(DataError, match="more bytes than"):
            read_nifti(path)


def test_many_members_and_padding_behind_them_are_read(tmp_path):
    raw, values = raw_image()
    path = tmp_path / "a.nii.gz"
    for content in (
        b"".join(gzip.compress(bytes(raw[k : k + 50])) for k in range(0, len(raw), 50)),
        gzip.compress(bytes(raw)) + b"\0" * 512,
    ):
        path.write_bytes(content)
        assert np.array_equal(read_nifti(path).data, values)


def test_half_a_megabyte_that_would_inflate_to_a_gigabyte_is_refused_at_once(tmp_path):
    import tracemalloc

    raw, _ = raw_image()
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    pieces = [packer.compress(bytes(raw))] + [packer.compress(bytes(2**20)) for _ in range(1024)] + [packer.flush()]
    path = tmp_path / "bomb.nii.gz"
    path.write_bytes(b"".join(pieces))
    tracemalloc.start()
    with pytest.raises(DataError, match="more bytes than"):
        read_nifti(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**24


def test_a_header_that_announces_more_than_any_brain_is_refused(tmp_path):
    raw, _ = raw_image()
    path = tmp_path / "large.nii.gz"
    path.write_bytes(gzip.compress(with_fields(raw, dim=[3, 4000, 4000, 400, 1, 1, 1, 1])))
    with pytest.raises(DataError, match="voxels expected"):
        read_nifti(path)


def test_one_file_of_a_pair_is_refused(tmp_path):
    raw, _ = raw_image()
    (tmp_path / "image.hdr").write_bytes(with_fields(raw, magic=b"ni1", vox_offset=0))
    with pytest.raises(DataError, match="pair"):
        read_nifti(tmp_path / "image.hdr")


def test_a_sheared_affine_comes_back(tmp_path):
    sheared = AFFINE.copy()
    sheared[0, 1] = 0.7
    write_nifti(tmp_path / "sheared.nii.gz", np.ones((3, 4, 5), np.int16), sheared)
    assert np.allclose(read_nifti(tmp_path / "sheared.nii.gz").affine, sheared)


@pytest.mark.parametrize("excess", [2e-6, 1e-5])
def test_a_quaternion_in_single_precision_does_not_matter(tmp_path, excess):
    raw, _ = raw_image()
    header = nib.Nifti1Header(bytes(raw[:348]), check=False)
    b, c, d = (float(header[f"quatern_{axis}"]) for axis in "bcd")
    length = np.sqrt((1 + excess) / (b * b + c * c + d * d))
    fields = {f"quatern_{axis}": value * length for axis, value in zip("bcd", (b, c, d), strict=True)}
    (tmp_path / "image.nii").write_bytes(with_fields(raw, **fields))
    assert np.allclose(read_nifti(tmp_path / "image.nii").affine, AFFINE)
    (tmp_path / "only.nii").write_bytes(with_fields(raw, sform_code=0, **fields))
    assert np.allclose(read_nifti(tmp_path / "only.nii").affine, AFFINE, atol=1e-3)


def mutated(raw, rng):
    """One way a file goes wrong: a header byte, a few of them, an extreme number, or its end."""
    raw = bytearray(raw)
    kind = rng.randrange(4)
    if kind == 0:
        raw[rng.randrange(348)] = rng.randrange(256)
    elif kind == 1:
        for _ in range(rng.randrange(2, 12)):
            raw[rng.randrange(348)] ^= 1 << rng.randrange(8)
    elif kind == 2:
        place = rng.randrange(0, 344, 4)
        extreme = [0x7F800000, 0xFF800000, 0x7FC00000, 0, 0xFFFFFFFF, 0x7F7FFFFF, 1]
        raw[place : place + 4] = rng.choice(extreme).to_bytes(4, "little")
    else:
        del raw[rng.randrange(len(raw)) :]
    return bytes(raw)


def read_or_refuse(path, count, seed):
    """Every mutant is an image of the file's own voxels, as many and as finite as the header says, or one DataError."""
    rng, outcomes = random.Random(seed), {"read": 0, "refused": 0}
    raw, _ = raw_image()
    for number in range(count):
        content = mutated(raw, rng)
        path.write_bytes(gzip.compress(content, 1) if number % 2 else content)
        try:
            image = read_nifti(path)
        except DataError as error:
            assert str(path.name) in str(error) and error.remedy
            outcomes["refused"] += 1
            continue
        assert np.isfinite(image.data).all() and np.isfinite(image.affine).all()
        assert image.data.ndim == 3 and image.data.size <= len(content)
        outcomes["read"] += 1
    return outcomes


def test_mutated_headers_are_read_or_refused_in_one_sentence(tmp_path):
    outcomes = read_or_refuse(tmp_path / "mutant.nii.gz", 1000, 0)
    assert min(outcomes.values()) > 100, outcomes


@pytest.mark.slow
def test_a_hundred_thousand_mutated_headers(tmp_path):
    outcomes = read_or_refuse(tmp_path / "mutant.nii.gz", 100_000, 1)
    assert min(outcomes.values()) > 10_000, outcomes
