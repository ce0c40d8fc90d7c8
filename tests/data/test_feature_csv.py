"""Feature tables that others made."""

import numpy as np
import pytest

from glioma_os.data.feature_csv import read_feature_csv
from glioma_os.data.features import encoder_patients, with_rows_for
from glioma_os.errors import ConfigError, DataError


@pytest.fixture
def files(tmp_path):
    (tmp_path / "t1.csv").write_text("ID,grade,a,b\nvolume_1,HGG,1,2\nvolume_2,LGG,3,\nvolume_3,HGG,5,inf\n")
    (tmp_path / "t2.csv").write_text("ID,grade,a\nvolume_3,HGG,7\nvolume_1,HGG,9\n")
    return tmp_path


def test_one_file_with_renamed_ids_and_dropped_columns(files):
    table = read_feature_csv(files / "t1.csv", "ID", drop=["grade"], pattern="^volume_", to="Case")
    assert table.case_ids == ("Case1", "Case2", "Case3") and table.names == ("a", "b")
    assert np.isnan(table.values[1:, 1]).all() and table.values[0].tolist() == [1, 2]


@pytest.mark.parametrize("path", ["*.csv", ["t1.csv", "t2.csv"]])
def test_several_files_keep_the_cases_of_all_and_tell_columns_apart(files, path):
    given = str(files / path) if isinstance(path, str) else [files / name for name in path]
    table = read_feature_csv(given, "ID", drop=["grade"])
    assert table.case_ids == ("volume_1", "volume_3") and table.names == ("t1/a", "t1/b", "t2/a")
    assert table.values[:, 2].tolist() == [9, 7] and len(table.provenance["source_sha256"]) == 2


def test_cases_without_features_get_a_blank_row(files):
    table = with_rows_for(read_feature_csv(files / "t2.csv", "ID", drop=["grade"]), ["volume_1", "volume_9"])
    assert table.case_ids == ("volume_3", "volume_1", "volume_9") and np.isnan(table.rows(["volume_9"])).all()


@pytest.mark.parametrize(
    ("path", "options", "words"),
    [
        ("none.csv", {}, "features.path"),
        ("x*.csv", {}, "no file"),
        ("t1.csv", {}, r"'grade'\) → numbers expected.*'features.drop=\[grade\]'"),
        ("t1.csv", {"id_column": "case"}, "'case' expected"),
        ("t1.csv", {"drop": ["grade", "os_day"]}, "no column 'os_day'"),
        ("t1.csv", {"drop": ["grade"], "pattern": r"\d$", "to": ""}, "twice"),
    ],
)
def test_what_cannot_be_read_is_named(files, path, options, words):
    with pytest.raises(DataError, match=words):
        read_feature_csv(files / path, **{"id_column": "ID", **options})


def test_files_without_a_common_case_are_refused(files):
    (files / "t2.csv").write_text("ID,grade,a\nvolume_8,HGG,7\n")
    with pytest.raises(DataError, match="no case in all 2 files"):
        read_feature_csv(str(files / "*.csv"), "ID", drop=["grade"])


def test_columns_that_number_the_rows_of_their_own_file_are_told(tmp_path):
    rows = [f"c{k},{k + 5},{k % 3}" for k in range(8)]
    (tmp_path / "a.csv").write_text("\n".join(["case_id,n,x", *rows]) + "\n")
    (tmp_path / "b.csv").write_text("\n".join(["case_id,n,x", *(f"c{7 - k},{k},{k % 3}" for k in range(8))]) + "\n")
    assert read_feature_csv(tmp_path / "a.csv").provenance["row_number_columns"] == ["n"]
    both = read_feature_csv(str(tmp_path / "*.csv"))
    assert both.provenance["row_number_columns"] == ["a/n", "b/n"]


ALIASES = {"P1": frozenset({"P1", "TCGA-02-0001"}), "P2": frozenset({"P2"}), "P3": frozenset({"P3"})}


def test_the_encoders_patients_are_unknown_nobody_or_those_of_a_file(tmp_path):
    assert encoder_patients("unknown", ALIASES) == (None, 0)
    assert encoder_patients("none", ALIASES) == ([], 0)
    file = tmp_path / "trained.csv"
    file.write_text('\ufeffTCGA-02-0001,HGG\n\n"P3"\nP3\nelsewhere\n')
    assert encoder_patients(str(file), ALIASES) == (["P1", "P3"], 3)


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [("nowhere.txt", ConfigError, "no file .*nowhere.txt"), (".", ConfigError, "a folder found"),
     ("empty.txt", DataError, "no patient id"), ("binary.txt", DataError, "no text"),
     (None, ConfigError, "null found")],
)  # fmt: skip
def test_a_list_of_encoder_patients_that_cannot_be_read_is_a_sentence(tmp_path, name, error, words):
    (tmp_path / "empty.txt").write_text("\n , \n")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00P\xff")
    with pytest.raises(error, match=words):
        encoder_patients(None if name is None else str(tmp_path / name), ALIASES)
