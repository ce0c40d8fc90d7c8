import numpy as np
import pytest

from glioma_os.data.feature_csv import read_feature_csv
from glioma_os.data.features import read_features, write_features
from glioma_os.errors import DataError, IntegrityError
from glioma_os.records import FeatureTable

TABLE = FeatureTable(
    ("a", "b"),
    ("x", "y", "z"),
    ("latents",) * 3,
    np.arange(6, dtype=np.float32).reshape(2, 3),
    {"encoder_patients": ["a"]},
)


def test_tables_come_back(tmp_path):
    write_features(TABLE, tmp_path / "t.npz")
    back = read_features(tmp_path / "t.npz")
    assert np.array_equal(back.values, TABLE.values) and back.provenance == TABLE.provenance
    assert (back.case_ids, back.names, back.blocks) == (TABLE.case_ids, TABLE.names, TABLE.blocks)


def test_rows_come_in_the_order_asked_for():
    assert TABLE.rows(["b", "a"]).tolist() == [[3, 4, 5], [0, 1, 2]]
    with pytest.raises(DataError, match="'c'"):
        TABLE.rows(["a", "c"])


def test_objects_and_damage_are_refused(tmp_path):
    path = tmp_path / "t.npz"
    write_features(TABLE, path)
    np.savez(path, values=np.array([{}], dtype=object), case_ids=["a"], names=["x"], blocks=["b"])
    with pytest.raises(IntegrityError):
        read_features(path)
    path.write_bytes(b"PK")
    with pytest.raises(IntegrityError):
        read_features(path)


def test_csvs_of_others(tmp_path):
    path = tmp_path / "f.csv"
    path.write_text("case_id,volume,shape\n001,3.5,1\n002,,2\n")
    table = read_feature_csv(path)
    assert table.case_ids == ("001", "002") and table.blocks == ("radiomics",) * 2 and np.isnan(table.values[1, 0])
    for text, message in (
        ("id,volume\n1,2\n", "case_id"),
        ("case_id,volume\n1,big\n", "text.*volume"),
        ("case_id,v\n1,2\n1,3\n", "twice"),
    ):
        path.write_text(text)
        with pytest.raises(DataError, match=message):
            read_feature_csv(path)
