"""The stages a reviewer runs: audit, external validation, label-permutation and noise-feature control."""

import csv
import json
import stat

import numpy as np
import pytest

from tests.program import run

HEAD = "Brats20ID,Age,Survival_days,Extent_of_Resection"


def people(n, seed):
    """Age in days, days lived; the old die first."""
    rng = np.random.default_rng(seed)
    age = rng.integers(14_000, 29_000, n)
    return age, np.ceil(np.exp(5.8 - 0.00012 * (age - 22_000) + rng.normal(0, 0.6, n))).astype(int)


@pytest.fixture
def folder(tmp_path):
    """brats.csv, and upenn.csv whose first six patients stand in it too, aged in years of 365.25 days."""
    age, days = people(60, 1)
    rows = [
        f"BraTS20_Training_{k + 1:03d},{a / 365:.3f},{d},GTR" for k, (a, d) in enumerate(zip(age, days, strict=True))
    ]
    (tmp_path / "brats.csv").write_text("\n".join([HEAD, *rows]) + "\n")
    other_age, other_days = people(40, 2)
    all_age, all_days = np.concatenate([age[:6], other_age]), np.concatenate([days[:6], other_days])
    rows = [
        f"UPENN-GBM-{k + 1:05d}_11,F,{a / 365.25:.2f},{d},Deceased,Not Available"
        for k, (a, d) in enumerate(zip(all_age, all_days, strict=True))
    ]
    header = "ID,Gender,Age_at_scan_years,Survival_from_surgery_days_UPDATED,Survival_Status,Survival_Censor"
    (tmp_path / "upenn.csv").write_text("\n".join([header, *rows]) + "\n")
    return tmp_path


def test_audit_names_the_shared_patients_and_why(folder):
    done = run(folder, "stage=audit", "cohort=brats_table", "cohort.table=brats.csv", "other=upenn",
               "other.table=upenn.csv")  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert "6 of 60 patients are in upenn too" in done.stderr and "6 by age + days" in done.stderr
    (path,) = folder.glob("runs/audit/*/*/shared.csv")
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [(r["patient_id"], r["other_id"]) for r in rows] == [
        (f"BraTS20_Training_{k:03d}", f"UPENN-GBM-{k:05d}") for k in range(1, 7)
    ]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_audit_lists_suspected_pairs_and_columns_that_give_the_outcome_away(folder):
    lines = (folder / "brats.csv").read_text().splitlines()
    rows = [line.split(",") for line in lines[1:]]
    jittered = [f"OTHER-{k},{float(r[1]) + 0.3:.2f},{r[2]},NA" for k, r in enumerate(rows[:40])]
    (folder / "other.csv").write_text("\n".join(["id,Age,Survival_days,ResectionStatus", *jittered]) + "\n")
    features = [f"{r[0]},{k * 7 % 13},{1 / int(r[2])}" for k, r in enumerate(rows)]
    (folder / "f.csv").write_text("\n".join(["case_id,texture,inverse", *features]) + "\n")
    done = run(folder, "stage=audit", "cohort=brats_table", "cohort.table=brats.csv", "other=brats_table",
               "other.table=other.csv", "other.name=old", "features=csv", "features.path=f.csv")  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert "0 of 60 patients are in old too" in done.stderr and "1 of 2 feature columns" in done.stderr
    assert "'inverse' orders patients as the survival days do" in done.stderr
    assert "features.drop=[inverse]" in done.stderr
    (path,) = folder.glob("runs/audit/*/*/shared.csv")
    found = [r for r in csv.DictReader(path.read_text().splitlines()) if r["cohort"] == "old"]
    assert len(found) >= 40 and all(r["evidence"].startswith("suspected: age within a year") for r in found)
    assert f"{len(found)} suspected (age within a year and the same days" in done.stderr


def test_an_audit_is_done_again_when_a_mapping_adds_names(folder):
    command = ["stage=audit", "cohort=brats_table", "cohort.table=brats.csv", "other=brats_table",
               "other.table=old.csv", "other.name=old"]  # fmt: skip
    (folder / "old.csv").write_text("BraTS18ID,Age,Survival,ResectionStatus\nBrats18_A_1,40.5,77,NA\n")
    first = run(folder, *command)
    assert "0 of 60 patients are in old too" in first.stderr and "0 findings" in first.stderr, first.stderr[-2000:]
    (folder / "names.csv").write_text("BraTS_2018_subject_ID,BraTS_2020_subject_ID\nBrats18_A_1,BraTS20_Training_007\n")
    again = run(folder, *command, "cohort.name_mapping=names.csv")
    assert "1 of 60 patients are in old too" in again.stderr and "1 by id" in again.stderr, again.stderr[-2000:]
    assert len(list(folder.glob("runs/audit/*/*/DONE"))) == 2


def test_external_validation_leaves_the_shared_out_and_scores_every_test_patient(folder):
    common = ["stage=validate", "train=brats_table", "train.table=brats.csv", "test=upenn", "test.table=upenn.csv"]
    done = run(folder, *common, "head=[cox,logistic]", "validation.replicates=200", "endpoint=binary_365")
    assert done.returncode == 0, done.stderr[-2000:]
    assert "54 patients; 6 patients shared with upenn excluded" in done.stderr and "median_survival_days" in done.stderr
    (path,) = folder.glob("runs/validate/*/*/summary.json")
    summary = json.loads(path.read_text())
    assert (summary["train_patients"], summary["test_patients"], summary["cuts_days"]) == (54, 46, [365.0])
    scores = list(csv.DictReader((path.parent / "scores.csv").read_text().splitlines()))
    assert {(s["head"], s["block"]) for s in scores} >= {("majority", "none"), ("logistic", "age"), ("cox", "age")}
    c_index = next(float(s["value"]) for s in scores if (s["head"], s["metric"]) == ("cox", "c_index"))
    assert 0.6 < c_index < 0.95
    calibration = list(csv.DictReader((path.parent / "calibration.csv").read_text().splitlines()))
    assert all(0 < float(row["slope"]) < 5 for row in calibration if row["head"] in ("cox", "logistic"))
    assert "Calibration of the shorter class" in done.stderr
    missing = run(folder, *common[:3])
    assert missing.returncode == 2 and "test=upenn" in missing.stderr


def test_features_are_checked_before_validation_and_control_runs(folder):
    rows = [line.split(",") for line in (folder / "brats.csv").read_text().splitlines()[1:]]
    tested = [line.split(",") for line in (folder / "upenn.csv").read_text().splitlines()[1:]]
    noise = np.random.default_rng(0).normal(size=106)
    ids, days = [r[0] for r in rows + tested], [r[2] for r in rows] + [r[3] for r in tested]
    copied = [noise[k] if k < 60 else float(d) for k, d in enumerate(days)]  # in the test cohort alone
    (folder / "f.csv").write_text("case_id,a,b\n" + "".join(f"{i},{noise[k]},{copied[k]}\n" for k, i in enumerate(ids)))
    external = ["stage=validate", "train=brats_table", "train.table=brats.csv", "test=upenn", "test.table=upenn.csv",
                "features=csv", "features.path=f.csv", "head=logistic"]  # fmt: skip
    done = run(folder, *external, "features.drop=[b]")
    assert done.returncode == 5 and "features.encoder_patients=none" in done.stderr, done.stderr[-2000:]
    done = run(folder, *external, "features.encoder_patients=none")
    assert done.returncode == 3 and "'b' orders patients as the survival days do" in done.stderr, done.stderr[-2000:]
    (folder / "g.csv").write_text("case_id,a\n" + "".join(f"{r[0]},{r[2]}\n" for r in rows))
    done = run(folder, "stage=permutation_test", "cohort=brats_table", "cohort.table=brats.csv", "features=csv",
               "features.path=g.csv", "features.encoder_patients=none", "permutation_test.kind=features")  # fmt: skip
    assert done.returncode == 3 and "features.drop=[a]" in done.stderr, done.stderr[-2000:]
    assert not list(folder.glob("runs/*/*/*/DONE"))


def test_control_runs_stay_at_chance_beside_the_observed_score(folder):
    rng = np.random.default_rng(0)
    ids = [f"BraTS20_Training_{k:03d}" for k in range(1, 61)]
    (folder / "f.csv").write_text("case_id,a,b\n" + "".join(f"{i},{rng.normal()},{rng.normal()}\n" for i in ids))
    done = run(
        folder, "stage=permutation_test", "cohort=brats_table", "cohort.table=brats.csv", "features=csv",
        "features.path=f.csv", "features.encoder_patients=none",
        "head=logistic", "validation.repeats=1", "validation.components=[2]", "validation.folds=3",
        "permutation_test.runs=3",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    (path,) = folder.glob("runs/permutation_test/*/*/null.csv")
    rows = {r["block"]: r for r in csv.DictReader(path.read_text().splitlines())}
    assert set(rows) == {"age", "radiomics", "fused"} and all(r["leaks"] == "False" for r in rows.values())
    assert "observed 0." in done.stderr
    assert float(rows["age"]["observed"]) > 0.6 > float(rows["radiomics"]["mean"])
    wrong = run(folder, "stage=permutation_test", "cohort=brats_table", "cohort.table=brats.csv", "features=none",
                "permutation_test.kind=else")  # fmt: skip
    assert wrong.returncode == 2 and "one of 'labels', 'noise' or 'features'" in wrong.stderr
    wrong = run(folder, "stage=permutation_test", "cohort=brats_table", "cohort.table=brats.csv", "features=none",
                "permutation_test.kind=features")  # fmt: skip
    assert wrong.returncode == 2 and "features=none" in wrong.stderr


def test_a_stored_pipeline_applied_later_gives_the_same_numbers(folder):
    common = ["train=brats_table", "train.table=brats.csv", "test=upenn", "test.table=upenn.csv", "head=[cox,logistic]"]
    done = run(folder, "stage=validate", *common, "validation.replicates=50", "endpoint=binary_365")
    assert done.returncode == 0, done.stderr[-2000:]
    (stored,) = folder.glob("runs/validate/*/*/pipeline")
    apply = ["stage=apply", f"pipeline={stored}", "cohort=upenn", "cohort.table=upenn.csv", "features=none"]
    done = run(folder, *apply)
    assert done.returncode == 0 and "46 cases of upenn predicted by a pipeline fitted on brats_table" in done.stderr
    (path,) = folder.glob("runs/apply/*/*/predictions.csv")
    first = path.read_bytes()

    def risks(file):
        rows = csv.DictReader(line for line in file.read_text().splitlines() if not line.startswith("#"))
        return {r["case_id"]: r for r in rows if (r["head"], r["block"]) == ("logistic", "age")}

    (validated,) = folder.glob("runs/validate/*/*/predictions.csv")
    then, now = risks(validated), risks(path)
    assert then.keys() == now.keys() and len(now) == 46
    for name, row in now.items():
        assert f"{float(row['risk']):.8g}" == then[name]["risk"]
        assert f"{float(row['p_class_0']):.6g}" == then[name]["p_class_0"]
        assert 0 <= float(row["risk_percentile"]) <= 100
    path.unlink()
    (path.parent / "DONE").unlink()
    assert run(folder, *apply).returncode == 0 and path.read_bytes() == first
    wrong = run(folder, *apply[:1], "pipeline=nowhere", *apply[2:])
    assert wrong.returncode == 2 and "no folder nowhere found" in wrong.stderr
    none = run(folder, *apply[:1], *apply[2:])
    assert none.returncode == 2 and "pipeline=FOLDER" in none.stderr


def test_each_of_several_cohorts_is_held_out_once(folder):
    age, days = people(45, 3)
    (folder / "third.csv").write_text(
        "patient_id,age,os_days,event\n"
        + "".join(f"T{k},{a / 365:.2f},{d},1\n" for k, (a, d) in enumerate(zip(age, days, strict=True)))
    )
    words = ["stage=validate", "train=[brats_table,upenn,table]", "train.brats_table.table=brats.csv",
             "train.upenn.table=upenn.csv", "train.table.table=third.csv", "features=none", "head=cox",
             "endpoint=time_to_event", "validation.replicates=50"]  # fmt: skip
    done = run(folder, *words)
    assert done.returncode == 0, done.stderr[-2000:]
    for text in ("── upenn held out", "── table held out", "95 % prediction interval for a further cohort",
                 "random effects, Hartung–Knapp"):  # fmt: skip
        assert text in done.stderr
    (summary,) = folder.glob("runs/leave_one_out/*/*/summary.json")
    found = json.loads(summary.read_text())["age"]
    assert found["prediction_low"] < found["low"] < found["mean"] < found["high"] < found["prediction_high"]
    told = [json.loads(path.read_text()) for path in folder.glob("runs/validate/*/*/summary.json")]
    assert {t["test"] for t in told} == {"brats_table", "upenn", "table"} and len(told) == 3
    assert next(t for t in told if t["test"] == "upenn")["shared_left_out"] == 6
    one = run(folder, "stage=validate", "train=[upenn]", "train.upenn.table=upenn.csv")
    assert one.returncode == 2 and "two or more cohorts" in one.stderr
