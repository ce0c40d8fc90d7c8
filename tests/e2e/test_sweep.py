"""A sweep as its users run it: jobs share what they have in common, fail alone, go on, and are collected."""

import csv
import json

import numpy as np
import pytest

from tests.program import run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """patients.csv: 60 patients, the old die first; scans.csv: one feature that knows more than age, one of noise."""
    folder = tmp_path_factory.mktemp("sweep")
    rng = np.random.default_rng(4)
    age, trait = rng.normal(60, 10, 60), rng.normal(0, 1, (60, 2))
    days = np.ceil(np.exp(5.8 - 0.03 * (age - 60) - 0.8 * trait[:, 0] + rng.normal(0, 0.4, 60))).astype(int)
    people = [f"P{k:03d},{a:.1f},{d},1" for k, (a, d) in enumerate(zip(age, days, strict=True))]
    (folder / "patients.csv").write_text("\n".join(["patient_id,age,os_days,event", *people]) + "\n")
    scans = [f"P{k:03d},{a:.4f},{b:.4f}" for k, (a, b) in enumerate(trait)]
    (folder / "scans.csv").write_text("\n".join(["ID,known,noise", *scans]) + "\n")
    return folder


BASE = (
    "-m", "stage=survival", "cohort=table", "cohort.table=patients.csv", "features=csv", "features.path=scans.csv",
    "features.id_column=ID", "features.encoder_patients=none", "validation.folds=3",
    "validation.repeats=1", "validation.replicates=200", "validation.components=[1]",
    "endpoint=binary_median", "name=small", "hydra.launcher.n_jobs=2",
)  # fmt: skip
JOBS = ("head=logistic,cox", "features.drop=[known],[noise]", "seed=1,2")


@pytest.fixture(scope="module")
def swept(folder):
    return run(folder, *BASE, *JOBS)


def test_every_job_is_run_once_and_found_again(folder, swept):
    assert swept.returncode == 0, swept.stderr[-3000:]
    told = json.loads((folder / "runs/sweep/small/sweep.json").read_text())
    assert len(told) == 8 and {job["status"] for job in told} == {"done"}
    assert len({job["runs"]["Study"] for job in told}) == 8 and all(job["objective"] > 0.3 for job in told)
    before = {path: path.stat().st_mtime_ns for path in folder.glob("runs/survival/**/scores.csv")}
    again = run(folder, *BASE, *JOBS)
    assert again.returncode == 0 and "8 done before" in again.stderr, again.stderr[-2000:]
    assert {path: path.stat().st_mtime_ns for path in folder.glob("runs/survival/**/scores.csv")} == before


def test_other_patients_make_other_jobs(folder, swept):
    text = (folder / "patients.csv").read_text()
    (folder / "patients.csv").write_text(text.replace(",1\n", ",0\n", 1))
    try:
        again = run(folder, *BASE, "head=logistic", "features.drop=[noise]", "seed=1,2")
    finally:
        (folder / "patients.csv").write_text(text)
    assert again.returncode == 0 and " 0 done before" in again.stderr, again.stderr[-2000:]


def test_a_failing_job_fails_alone_and_is_named(folder, swept):
    done = run(folder, *BASE, "name=failing", "head=logistic", "validation.inner_folds=3,1000")
    assert done.returncode == 1
    assert "1 of 2 jobs done" in done.stderr and "validation.inner_folds=1000" in done.stderr, done.stderr[-3000:]
    told = json.loads((folder / "runs/sweep/failing/sweep.json").read_text())
    assert [job["status"] for job in told] == ["done", "failed"] and "Error" in told[1]["said"]


def test_collect_finds_what_the_feature_does(folder, swept):
    run(folder, *BASE, *JOBS)
    done = run(folder, "stage=collect", "runs=small")
    assert done.returncode == 0, done.stderr[-3000:]
    place = folder / "runs/sweep/small"
    effects = list(csv.DictReader((place / "effects.csv").read_text().splitlines()))
    found = {(e["factor"], e["metric"]): e for e in effects}
    known = found["features.drop", "auc"]
    assert (known["level"], known["reference"], known["pairs"]) == ("[noise]", "[known]", "4")
    assert float(known["low"]) > 0.05 and float(known["p_holm"]) < 0.05
    assert float(found["head", "auc"]["p_holm"]) > 0.05
    cells = list(csv.DictReader((place / "cells.csv").read_text().splitlines()))
    assert len(cells) == 8 and {cell["seeds"] for cell in cells} == {"2"}
    page = (place / "report.html").read_text()
    told = json.loads((place / "sweep.json").read_text())
    assert all(f"small/{job['runs']['Study'].rsplit('/', 1)[1]}" in page for job in told)
    assert str(folder) not in page

    lone = run(folder, "stage=collect", "runs=[runs/survival/small/*]", "name=lone")
    assert lone.returncode == 0, lone.stderr[-3000:]
    assert (folder / "runs/collect/lone/effects.csv").read_text().count("\n") == 1
    nothing = run(folder, "stage=collect", "runs=nowhere")
    assert nothing.returncode == 2 and "no sweep and no finished run there" in nothing.stderr
