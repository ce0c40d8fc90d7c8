"""Feature tables that others made."""

import numpy as np
import pytest

from glioma_os.data.features import read_feature_csv, with_rows_for
from glioma_os.errors import DataError


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
        ("t1.csv", {}, "'grade' holds text"),
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
    with pytest.raises(DataError, match="all 2 files"):
        read_feature_csv(str(files / "*.csv"), "ID", drop=["grade"])
