import gzip

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glioma_os.errors import DataError, EnvironmentFault
from glioma_os.volumes.atomic import atomic_write
from glioma_os.volumes.nifti import read_nifti, write_nifti

IMAGE = np.arange(6 * 5 * 4, dtype=np.int16).reshape(6, 5, 4)


@pytest.fixture(scope="module")
def image_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("nifti") / "image.nii.gz"
    affine = np.diag([-1.0, -1.0, 1.0, 1.0])
    write_nifti(path, np.random.default_rng(0).integers(0, 900, (16, 16, 16)).astype(np.int16), affine)
    return path


def with_header(path, affine, data=IMAGE, **fields):
    """The bytes of an image whose header has some fields overwritten."""
    image = nib.Nifti1Image(data, affine)
    image.set_sform(affine, 1)
    image.set_qform(affine, 1)
    raw = bytearray(image.to_bytes())
    header = nib.Nifti1Header(bytes(raw[:348]), check=False)
    for name, value in fields.items():
        header[name] = value
    raw[:348] = header.binaryblock
    path.write_bytes(bytes(raw))
    return path


def test_what_is_written_is_read_back_and_twice_the_same(tmp_path, affine):
    for name in ("a.nii", "a.nii.gz"):
        path = tmp_path / name
        write_nifti(path, IMAGE, affine)
        image = read_nifti(path)
        assert image.data.dtype == np.int16 and np.array_equal(image.data, IMAGE)
        assert np.allclose(image.affine, affine)
        first = path.read_bytes()
        write_nifti(path, IMAGE, affine)
        assert path.read_bytes() == first
        header = nib.load(path).header
        assert bytes(header["descrip"].item()) == b"" and not header.extensions


def test_gzip_is_told_by_content(tmp_path, affine):
    write_nifti(tmp_path / "a.nii.gz", IMAGE, affine)
    (tmp_path / "b.nii").write_bytes((tmp_path / "a.nii.gz").read_bytes())
    assert np.array_equal(read_nifti(tmp_path / "b.nii").data, IMAGE)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.floats(0.0, 0.999))
def test_a_cut_file_is_never_read(image_file, tmp_path, cut):
    raw = image_file.read_bytes()
    path = tmp_path / "cut.nii.gz"
    path.write_bytes(raw[: int(cut * len(raw))])
    with pytest.raises(DataError, match="cut.nii.gz"):
        read_nifti(path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0.0, 0.9999), bit=st.integers(0, 7))
def test_a_flipped_bit_in_the_payload_is_never_read_as_other_voxels(image_file, tmp_path, place, bit):
    raw = bytearray(image_file.read_bytes())
    raw[10 + int(place * (len(raw) - 10))] ^= 1 << bit
    path = tmp_path / "flip.nii.gz"
    path.write_bytes(bytes(raw))
    with pytest.raises(DataError):
        read_nifti(path)


def test_trailing_junk_and_other_files(tmp_path, image_file):
    for content in (image_file.read_bytes() + b"junk", b"", b"<html>please log in</html>" * 30, gzip.compress(b"x")):
        path = tmp_path / "odd.nii.gz"
        path.write_bytes(content)
        with pytest.raises(DataError):
            read_nifti(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_nifti(tmp_path / "absent.nii.gz")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"dim": [3, 0, 5, 4, 1, 1, 1, 1]}, "sides"),
        ({"dim": [3, 32000, 32000, 32000, 1, 1, 1, 1]}, "sides"),
        ({"dim": [2, 6, 20, 1, 1, 1, 1, 1]}, "3 axes"),
        ({"dim": [4, 6, 5, 2, 2, 1, 1, 1]}, "3 axes"),
        ({"datatype": 32}, "type|ended"),
        ({"datatype": 128}, "type|ended"),
        ({"sform_code": 0, "qform_code": 0}, "codes both 0"),
        ({"srow_x": [np.nan, 0, 0, 0], "qform_code": 0}, "finite"),
        ({"srow_x": [0, 0, 0, 0], "qform_code": 0}, "singular"),
        ({"srow_x": [-1, 0, 0, 5]}, "qform"),
        ({"srow_x": [-0.001, 0, 0, 0], "qform_code": 0}, "spacing"),
        ({"srow_x": [-40, 0, 0, 0], "qform_code": 0}, "spacing"),
        ({"dim": [3, 60, 5, 4, 1, 1, 1, 1]}, "ended early"),
    ],
)
def test_one_wrong_field_is_one_clear_error(tmp_path, affine, fields, message):
    path = with_header(tmp_path / "bad.nii", affine, **fields)
    with pytest.raises(DataError, match=message) as caught:
        read_nifti(path)
    assert "bad.nii" in str(caught.value)


def test_voxels_that_are_no_numbers_are_counted(tmp_path, affine):
    data = np.ones((4, 4, 4), np.float32)
    data[1, 2, 3] = np.nan
    data[3, 3, 3] = np.inf
    write_nifti(tmp_path / "nan.nii.gz", data, affine)
    with pytest.raises(DataError, match=r"2 voxels.*\(1, 2, 3\)"):
        read_nifti(tmp_path / "nan.nii.gz")


def test_nothing_is_left_of_a_failed_write(tmp_path, monkeypatch):
    path = tmp_path / "file.bin"
    atomic_write(path, b"good")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(EnvironmentFault, match="No space"):
        atomic_write(path, b"bad")
    assert path.read_bytes() == b"good" and [p.name for p in tmp_path.iterdir()] == ["file.bin"]
