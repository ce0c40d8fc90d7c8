"""Only what is on a list leaves, and a pseudonym cannot be turned back."""

import stat
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from glioma_os.training.privacy import KEY, Pseudonyms, open_config, open_metrics


def test_metrics_leave_by_name_and_as_finite_numbers():
    inside = {
        "train/loss": 0.5,
        "test/auc_low": 1,
        "epoch": 3,
        "Rossi": 1.0,
        "test/AUC Rossi": 1.0,
        "val/x": float("nan"),
    }
    assert open_metrics(inside) == {"train/loss": 0.5, "test/auc_low": 1.0, "epoch": 3.0}


SECRET = st.text("ROSI_MAR", min_size=4, max_size=12)


@given(SECRET, st.sampled_from(["/", "\\", "~", "@"]))
def test_no_path_and_no_table_leaves(name, sign):
    config = {
        "name": "sweep", "seed": 7, "paths": {"root": name}, "cohort": {"table": name, "name": name},
        "features": {"kind": "csv", "path": name, "id_column": name, "drop": [name]},
        "pretraining": {"weights": name, "schedule": {"epochs": 3}, "cohort": {"root": name}},
        "trainer": {"precision": f"{sign}{name}"}, "other": {"table": name}, "unknown": name,
        "channels": ["t1c", "flair"], "head": {"cox": {"l2": [1.0, 10.0]}},
    }  # fmt: skip
    assert open_config(config) == {
        "name": "sweep", "seed": 7, "features.kind": "csv", "pretraining.schedule.epochs": 3,
        "channels": "t1c, flair", "head.cox.l2": "1.0, 10.0",
    }  # fmt: skip


def test_a_pseudonym_is_the_same_in_every_process_and_another_in_every_folder(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: Pseudonyms(tmp_path / "a")("ROSSI_MARIO"), range(32)))
    (pseudonym,) = found
    assert pseudonym.startswith("P-") and len(pseudonym) == 12
    assert Pseudonyms(tmp_path / "b")("ROSSI_MARIO") != pseudonym != Pseudonyms(tmp_path / "a")("ROSSI_MARIA")
    assert stat.S_IMODE((tmp_path / "a" / KEY).stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "a").iterdir()] == [KEY]
