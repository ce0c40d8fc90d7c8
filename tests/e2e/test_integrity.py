"""What is stored is what was written, or the program names the file that is not; and ids of any kind are safe."""

import json
import os
import re
import stat
import subprocess
import sys

import numpy as np
import pytest

from glioma_os.reporting.result_files import read_predictions
from glioma_os.volumes import manifest
from tests.program import run

IDS = ["=1+1", "@x", "+1", "-1", "'q", "a#b", "<script>alert(1)", "none1", "a&b;c", "Zoë"]
STUDY = [
    "cohort=table", "cohort.table=t.csv", "features=none", "head=[cox,logistic]", "endpoint=binary_365",
    "validation.repeats=1", "validation.folds=3", "validation.inner_folds=2", "validation.replicates=50",
]  # fmt: skip
RESULTS = ("scores.csv", "predictions.csv", "summary.json", "folds.json", "subgroups.csv", "pipeline/pipeline.json")


def write_table(path, n=60):
    rng = np.random.default_rng(0)
    rows = ["patient_id,age,os_days,event"]
    for name in [*IDS, *(f"P{k:03d}" for k in range(n))]:
        age = rng.uniform(30, 80)
        days = int(np.exp(6.5 - 0.02 * age + rng.normal(0, 0.6)))
        rows.append(f'"{name}",{age:.2f},{days},{int(rng.random() < 0.85)}')
    path.write_text("\n".join(rows) + "\n")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("integrity")
    write_table(folder / "t.csv")
    return folder, run(folder, "stage=study", *STUDY)


@pytest.fixture
def sound(study):
    """The study's folder, with every file as it was at the end of the test."""
    folder, done = study
    assert done.returncode == 0, done.stderr[-2000:]
    kept = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.rglob("*") if p.is_file() and p.name != ".lock"}
    yield folder
    for path, (data, time) in kept.items():
        path.write_bytes(data)
        os.utime(path, ns=(time, time))


def refused(done, path):
    assert done.returncode == 5, (done.returncode, done.stderr[-500:])
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("IntegrityError") and path.name in last and "Traceback" not in done.stderr
    assert "This study is done" not in done.stderr


@pytest.mark.parametrize("name", ["scores.csv", "folds.json"])
def test_a_finished_study_with_an_edited_result_is_not_done(sound, name):
    (path,) = sound.glob(f"runs/survival/*/*/{name}")
    path.write_text(re.sub(r"[1-8]", "9", path.read_text(), count=1))
    refused(run(sound, "stage=study", *STUDY), path)


def test_nor_one_whose_report_is_gone_which_stage_report_writes_again(sound):
    (path,) = sound.glob("runs/study/*/*/report.html")
    path.unlink()
    done = run(sound, "stage=study", *STUDY)
    refused(done, path)
    assert "stage=report" in done.stderr
    assert run(sound, "stage=report", *STUDY).returncode == 0
    assert "This study is done" in run(sound, "stage=study", *STUDY).stderr


def test_nor_one_whose_survival_run_is_gone(sound):
    (path,) = sound.glob("runs/survival/*/*/DONE")
    path.unlink()
    refused(run(sound, "stage=study", *STUDY), path.parent)


def test_nor_one_with_garbage_for_its_manifest(sound):
    (path,) = sound.glob("runs/study/*/*/DONE")
    path.write_text("garbage")
    refused(run(sound, "stage=study", *STUDY), path)


def test_report_and_collect_read_every_byte(sound):
    (path,) = sound.glob("runs/survival/*/*/scores.csv")
    time, text = path.stat().st_mtime_ns, path.read_text()
    path.write_text(re.sub(r"0\.6", "0.9", text, count=1))
    assert path.read_text() != text
    os.utime(path, ns=(time, time))
    refused(run(sound, "stage=report", *STUDY), path)
    refused(run(sound, "stage=collect", f"runs={path.parent}", "validation.replicates=50"), path)


def test_a_stored_pipeline_that_was_edited_predicts_nobody(sound):
    (path,) = sound.glob("runs/survival/*/*/pipeline/pipeline.json")
    told = json.loads(path.read_text())
    told["provenance"]["patients"] += 1
    path.write_text(json.dumps(told, indent=1))
    refused(run(sound, "stage=apply", f"pipeline={path.parent}", *STUDY[:3]), path)


def test_the_manifest_lists_what_the_runs_hold(sound):
    (folder,) = sound.glob("runs/survival/*/*")
    files = json.loads((folder / "DONE").read_text())[manifest.FILES]
    assert (
        set(RESULTS) <= set(files)
        and "report.html" in json.loads(next(sound.glob("runs/study/*/*/DONE")).read_text())[manifest.FILES]
    )


def test_files_that_name_patients_are_their_owners_alone(sound):
    ids = re.compile(r"P0\d\d\b")
    named = [path for path in sound.glob("runs/*/*/*/**/*") if path.is_file() and ids.search(path.read_text("latin-1"))]
    assert {"predictions.csv", "folds.json"} <= {path.name for path in named}
    assert not [path for path in named if stat.S_IMODE(path.stat().st_mode) != 0o600]


def test_ids_that_a_spreadsheet_would_calculate_are_escaped_and_read_back(sound):
    (path,) = sound.glob("runs/survival/*/*/predictions.csv")
    cells = {line.split(",")[2] for line in path.read_text().splitlines()[2:]}
    assert {"'=1+1", "'@x", "'+1", "'-1", "''q", "a#b", "none1"} <= cells
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
    frame = read_predictions(path)
    assert set(IDS) <= set(frame["case_id"]) and set(frame["case_id"]) == set(frame["patient_id"])


def test_a_sweep_without_features_is_collected_and_its_page_is_safe(sound):
    swept = run(sound, "-m", "stage=survival", *STUDY, "head=cox,logistic", "name=mine")
    assert swept.returncode == 0 and "2 of 2 jobs done" in swept.stderr, swept.stderr[-2000:]
    collected = run(sound, "stage=collect", "runs=mine", "validation.replicates=50")
    assert collected.returncode == 0, collected.stderr[-2000:]
    html = (sound / "runs/sweep/mine/report.html").read_text()
    assert "head" in html and "<script" not in html
    (path,) = [p for p in sound.glob("runs/survival/mine/*/scores.csv")][:1]
    path.write_text(path.read_text() + "\n")
    refused(run(sound, "stage=collect", "runs=mine", "validation.replicates=50"), path)


def test_a_reader_that_leaves_early_is_no_error(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "glioma_os", "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
    )
    process.stdout.close()
    assert process.stderr.read() == b"" and process.wait() == 0
    process.stderr.close()
