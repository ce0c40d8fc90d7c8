"""features=csv before any fit: whom its encoder saw, columns that tell the outcome, horizons that nobody reached."""

import io

import numpy as np
import pytest

from glioma_os.errors import ConfigError, DataError, IntegrityError
from glioma_os.training import progress
from tests.pipeline.composed import Composed

N = 60


@pytest.fixture
def setting(tmp_path):
    rng = np.random.default_rng(0)
    days = np.ceil(np.exp(rng.normal(5.8, 0.7, N))).astype(int)

    def make(*words, **columns):
        people = [f"P{k:02d},{50 + k % 30},{d},{int(k % 5 > 0)}" for k, d in enumerate(days)]
        (tmp_path / "t.csv").write_text("\n".join(["patient_id,age,os_days,event", *people]) + "\n")
        columns = {"volume": rng.normal(size=N).round(3), **{k: make(days) for k, make in columns.items()}}
        rows = [",".join(map(str, [f"P{k:02d}", *(c[k] for c in columns.values())])) for k in range(N)]
        (tmp_path / "f.csv").write_text("\n".join([",".join(["case_id", *columns]), *rows]) + "\n")
        files = [f"cohort.table={tmp_path / 't.csv'}", f"features.path={tmp_path / 'f.csv'}"]
        return Composed("cohort=table", "features=csv", "validation.horizons_days=[365]", *files, *words)

    return make


@pytest.fixture
def terminal(monkeypatch):
    """What is printed."""
    written = io.StringIO()
    monkeypatch.setattr(progress.console, "file", written)
    return written


NOBODY = "features.encoder_patients=none"


def test_strict_refuses_features_that_do_not_say_whom_their_encoder_saw(setting):
    with pytest.raises(IntegrityError, match=r"features.encoder_patients=none if no .*leak_policy=report") as caught:
        setting().check()
    assert caught.value.exit_code == 5
    unknown = setting("validation.leak_policy=report")
    unknown.check()
    provenance = unknown.table.provenance
    assert "encoder_patients" in provenance and provenance["encoder_patients"] is None
    known = setting(NOBODY)
    known.check()
    assert known.table.provenance["encoder_patients"] == []


def test_strict_refuses_test_patients_that_the_encoder_saw(setting, tmp_path, terminal):
    (tmp_path / "seen.txt").write_text("P03\nP07\nsomebody\n")
    words = f"features.encoder_patients={tmp_path / 'seen.txt'}"
    with pytest.raises(IntegrityError, match=f"2 of {N} test patients"):
        setting(words).check()
    told = setting(words, "validation.leak_policy=report").table
    assert told.provenance["encoder_patients"] == ["P03", "P07"] and "3 listed, 2" in terminal.getvalue()
    with pytest.raises(ConfigError, match=r"features.encoder_patients: no file"):
        setting("features.encoder_patients=nowhere.txt").check()


def test_a_copy_of_the_outcome_is_refused_by_name_with_the_words_that_drop_it(setting):
    wrong = {"log_days": np.log, "Unnamed: 0": lambda days: np.arange(N)}
    with pytest.raises(DataError) as caught:
        setting(NOBODY, **wrong).check()
    assert "'log_days' orders patients as the survival days do; 'Unnamed: 0' has no name" in caught.value.problem
    assert """'features.drop=[log_days,"Unnamed: 0"]'""" in caught.value.remedy
    setting(NOBODY, """features.drop=[log_days,"Unnamed: 0"]""", **wrong).check()
    with pytest.raises(DataError, match=r"features.drop=\[log_days,row\]"):
        setting(NOBODY, "features.drop=[log_days]", log_days=np.log, row=lambda days: np.arange(N)).check()


def test_only_eligible_patients_count(setting, tmp_path):
    later = setting(NOBODY, "features.missing=drop", x=lambda days: np.where(np.arange(N) < 30, days, 0))
    rows = (tmp_path / "f.csv").read_text().splitlines()
    later.check()  # the copy of half the outcome orders nobody
    (tmp_path / "f.csv").write_text("\n".join(rows[:31]) + "\n")
    later.workspace.cache.clear()
    with pytest.raises(DataError, match="'x' orders"):
        later.check()


def test_a_selection_by_the_outcome_is_told_and_stored(setting, terminal):
    noise = np.random.default_rng(1).normal(size=(2000, N))
    picked = {}

    def pick(place):
        def column(days):
            order = np.argsort([-abs(np.corrcoef(row, days > np.median(days))[0, 1]) for row in noise])
            return noise[order[place]]

        return column

    for place in range(20):
        picked[f"f{place}"] = pick(place)
    study = setting(NOBODY, "features.drop=[volume]", **picked)
    study.check()
    stored = study.table.provenance["suspected_columns"]
    assert stored["columns"] == [f"f{place}" for place in range(20)] and "survival" in stored["reason"]
    told = terminal.getvalue()
    assert told.count("Warning") == 1 and "suspected" in told
    honest = setting(NOBODY)
    honest.check()
    assert "suspected_columns" not in honest.table.provenance


def test_horizons_that_nobody_reached_are_refused_or_told(setting, terminal):
    words = (NOBODY, "validation.horizons_days=[99999]")
    with pytest.raises(ConfigError, match=r"validation.horizons_days: 99999 found.*last follow-up.*, \d+, expected"):
        setting(*words).check()
    setting(NOBODY, "validation.horizons_days=[365,99999]").check()
    assert "not used: 99999" in terminal.getvalue()
    setting(NOBODY, "validation.horizons_days=[]").check()
