"""Feature tables of other programs: pyradiomics, spreadsheets, exports that went wrong."""

import numpy as np
import pytest

from glioma_os.data.feature_csv import read_feature_csv
from glioma_os.errors import ConfigError, DataError


def write(tmp_path, content, name="f.csv"):
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


PLAIN = "case_id,über,y\nA,1.5,2e-3\nB,-0.25,\n"


@pytest.mark.parametrize(
    "content",
    [PLAIN.encode(), PLAIN.encode("latin-1"), PLAIN.encode("utf-16"),
     "case_id;über;y\nA;1,5;2e-3\nB;-0,25;\n".encode("latin-1"),
     b"# made by a script\n" + PLAIN.encode(), PLAIN.replace("B,-0.25,", "B,-0.25,#N/A").encode(),
     PLAIN.replace("B,-0.25,", "B,-0.25,[Not Available]").encode(), PLAIN.replace("B,-0.25,", "B,-0.25,-inf").encode()],
)  # fmt: skip
def test_dialects_of_a_feature_table_read_alike(tmp_path, content):
    table = read_feature_csv(write(tmp_path, content))
    assert table.case_ids == ("A", "B") and table.names == ("über", "y")
    assert np.allclose(table.values, [[1.5, 2e-3], [-0.25, np.nan]], equal_nan=True)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "nothing found"),
        (b"case_id,x\nA,1\nB\n", "row 3: 1 cells"),
        (b"case_id,x\nA,1\nB,1,2\n", "row 3: 3 cells"),
        (b"case_id,x,X\nA,1,2\n", "'x' and 'X'"),
        (b"case_id,x\nA,1\n,2\n", "row 3: no id"),
        (b"case_id,x\nA,1_000\n", "columns of text found"),
        (b"case_id,x\nA,1e\n", "columns of text found"),
        (b"case_id,x\nA,0x1F\n", "columns of text found"),
        ("case_id,x\nA,٣\n".encode(), "columns of text found"),
        (b"case_id\nA\nB\n", "no column of numbers"),
        (b"case_id,x\nA," + b"1" * 140_000 + b"\n", "131,072"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_feature_table_is_one_sentence(tmp_path, content, words):
    with pytest.raises(DataError, match=words):
        read_feature_csv(write(tmp_path, content))


PYRADIOMICS = (
    "case_id,Image,Mask,diagnostics_Versions_PyRadiomics,diagnostics_Configuration_Settings,"
    "diagnostics_Image-original_Size,diagnostics_Mask-original_VoxelNum,original_shape_Elongation,a[1]\n"
    "A,/i/a.nii,/m/a.nii,v3.1.0,\"{'minimumROISize': None, 'binWidth': 25}\",\"(240, 240, 155)\",912,0.71,1\n"
    "B,/i/b.nii,/m/b.nii,v3.1.0,\"{'minimumROISize': None, 'binWidth': 25}\",\"(240, 240, 155)\",733,0.64,2\n"
)


def test_all_text_columns_of_pyradiomics_are_named_at_once_with_the_words_that_drop_them(tmp_path):
    path = write(tmp_path, PYRADIOMICS)
    with pytest.raises(DataError, match="5 columns of text") as caught:
        read_feature_csv(path)
    assert """Set 'features.drop=[Image,Mask,"diagnostics_*"]'""".lower() in caught.value.remedy.lower()
    table = read_feature_csv(path, drop=["Image", "Mask", "diagnostics_*"])
    assert table.names == ("original_shape_Elongation", "a[1]") and table.values[:, 1].tolist() == [1, 2]
    assert read_feature_csv(path, drop=["[IM]*", "diagnostics_*", "a[1]"]).names == ("original_shape_Elongation",)
    with pytest.raises(DataError, match="no column 'shape_\\*'"):
        read_feature_csv(path, drop=["Image", "Mask", "diagnostics_*", "shape_*"])


def test_the_id_column_may_differ_by_case_and_a_pattern_that_is_none_is_a_config_error(tmp_path):
    path = write(tmp_path, PLAIN)
    assert read_feature_csv(path, "Case_ID").case_ids == ("A", "B")
    with pytest.raises(ConfigError, match=r"features\.pattern: '\[' found → a regular expression"):
        read_feature_csv(path, pattern="[")


def test_a_table_with_a_copy_of_the_index_keeps_its_name(tmp_path):
    table = read_feature_csv(write(tmp_path, ",case_id,x\n0,A,1\n1,B,2\n2,C,3\n3,D,3\n4,E,3\n"))
    assert table.names == ("Unnamed: 0", "x") and table.provenance["row_number_columns"] == ["Unnamed: 0"]


def test_numbers_are_those_that_numpy_reads(tmp_path):
    values = np.random.default_rng(0).normal(size=(50, 20)) * 10.0 ** np.arange(-10, 10)
    rows = [",".join([f"c{k}", *map(repr, map(float, row))]) for k, row in enumerate(values)]
    table = read_feature_csv(write(tmp_path, "\n".join(["case_id," + ",".join(f"x{k}" for k in range(20)), *rows])))
    assert np.array_equal(table.values, values.astype(np.float32))
