"""The program as its users run it: one command, a report, and nothing done twice."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from tests.offline_runs import read_runs, tables
from tests.program import run

TINY = [
    "experiment=demo", "synthetic.patients=16", "synthetic.spacing_mm=8", "network.init_filters=8",
    "network.blocks_down=[1,1,1]", "network.blocks_up=[1,1]", "pretraining.schedule.epochs=2", "validation.folds=2",
    "validation.inner_folds=2", "validation.replicates=200", "validation.components=[2]", "head=[logistic,mlp,cox]",
]  # fmt: skip


CANARY = "ROSSI_MARIO"


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The whole study in a folder that has a patient's name, with that name in every header, on a dashboard."""
    folder = tmp_path_factory.mktemp("study") / CANARY
    folder.mkdir()
    for cohort in ("synthetic_brats2018", "synthetic_brats2020", "synthetic_besta"):
        run(folder, "stage=verify", *TINY, f"cohort={cohort}")
    for path in folder.glob("store/synthetic/**/*.nii.gz"):
        image = nib.load(path)
        image.header["descrip"] = CANARY
        nib.save(nib.Nifti1Image(np.asanyarray(image.dataobj), image.affine, image.header), path)
    return folder, run(folder, "stage=study", *TINY, "logger=wandb")


def test_one_command_gives_a_report(study):
    folder, done = study
    assert done.returncode == 0, done.stderr[-2000:]
    report = folder / done.stdout.strip().splitlines()[-1]
    html = report.read_text()
    for words in ("BraTS4CH", "BraTS2CH", "Besta2CH", "Published", "Not a medical device", "age alone", "<svg"):
        assert words in html
    assert not re.search(r'(src|href)="(http|/)', html)
    assert "The patients are simulated, not real" in html


def test_every_number_has_an_interval_a_difference_and_an_n(study):
    folder, _ = study
    tables = list(folder.glob("runs/survival/demo/*/scores.csv"))
    assert len(tables) == 3
    for path in tables:
        rows = list(csv.DictReader(path.read_text().splitlines()))
        heads = {(row["head"], row["block"]) for row in rows}
        assert {("majority", "none"), ("logistic", "age"), ("logistic", "fused"), ("cox", "fused")} <= heads
        for row in rows:
            assert float(row["low"]) <= float(row["high"])
            assert int(row["n"]) > 0 and float(row["delta_low"]) <= float(row["delta_high"])


def test_fine_tuning_never_saw_a_test_patient_and_pretraining_did_see_half(study):
    folder, _ = study
    for path in folder.glob("runs/survival/demo/*/summary.json"):
        summary = json.loads(path.read_text())
        assert summary["seen_by_encoder"] == 0 and summary["leak_policy"] == "strict"
        assert summary["seen_by_pretraining"] == (0 if "besta" in summary["cohort"] else 8)


def test_the_settings_share_one_pretraining(study):
    folder, _ = study
    assert len(list(folder.glob("runs/pretrain/demo/*"))) == 1
    assert len(list(folder.glob("runs/finetune/demo/*"))) == 2 + 2 + 1


def test_a_finished_study_is_not_done_again(study):
    folder, first = study
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}
    again = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "glioma_os", "stage=study", *TINY], cwd=folder, capture_output=True,
        text=True,
    )  # fmt: skip
    assert again.returncode == 0 and "nothing to do" in again.stderr and again.stdout == first.stdout
    imported = {line.rsplit("|", 1)[1].strip() for line in again.stderr.splitlines() if line.startswith("import time:")}
    assert "glioma_os.pipeline.study" in imported and not {"torch", "monai", "lightning", "wandb"} & imported
    assert before == {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file() and p.name != ".lock"}


def test_the_report_is_made_again_from_the_runs(study):
    folder, first = study
    report = folder / first.stdout.strip().splitlines()[-1]
    html = report.read_text()
    report.unlink()
    again = run(folder, "stage=report", *TINY)
    assert again.returncode == 0, again.stderr[-2000:]
    undated = [re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "", text) for text in (html, report.read_text())]
    assert undated[0] == undated[1]


def test_masks_lie_on_the_scanners_grid(study):
    folder, _ = study
    done = run(folder, "stage=segment", *TINY, "segment.write_predictions=true")
    assert done.returncode == 0 and "Dice after fine-tuning, n = 16" in done.stderr, done.stderr[-2000:]
    masks = sorted(folder.glob("runs/finetune/demo/*/masks/*.nii.gz"))
    assert len(masks) == 2 * 16  # two folds' segmenters, every case
    for path in masks[:3]:
        case = path.name.removesuffix("_seg.nii.gz")
        (source,) = folder.glob(f"store/synthetic/*/{case}/{case}_t1.nii.gz")
        mask, image = nib.load(path), nib.load(source)
        assert mask.shape == image.shape and np.allclose(mask.affine, image.affine)
        assert set(np.unique(np.asarray(mask.dataobj))) <= {0, 1, 2, 4}


def written(folder):
    return sum(len(files) for _, _, files in os.walk(folder))  # folders may go while it walks


def predictions(folder):
    """Without the runs' ids: those of `study` come from files with a name in their headers."""
    return sorted(path.read_text() for path in folder.glob("runs/survival/demo/*/predictions.csv"))


@pytest.mark.slow
def test_a_study_killed_anywhere_ends_like_one_that_was_not(study, tmp_path):
    folder, _ = study
    whole = predictions(folder)
    files, kills = written(folder), 0
    for share in (0.05, 0.3, 0.6, 0.7, 0.8, 0.9, 0.97):
        process = subprocess.Popen([sys.executable, "-m", "glioma_os", "stage=study", *TINY], cwd=tmp_path)
        while written(tmp_path) < share * files and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL  # near its end it may be done before the kill lands
    assert kills >= 5
    assert run(tmp_path, "stage=study", *TINY).returncode == 0
    assert len(whole) == 3 and predictions(tmp_path) == whole


@pytest.mark.slow
def test_the_wheel_works_in_an_empty_folder(tmp_path):
    from tests.conftest import REPOSITORY

    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", tmp_path / "dist", REPOSITORY], check=True
    )
    target = tmp_path / "site"
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    shutil.unpack_archive(wheel, target, "zip")
    empty = tmp_path / "empty"
    empty.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(target)}
    code = "import glioma_os.__main__ as m; assert '/site/' in m.__file__; m.main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "stage=study", *TINY], cwd=empty, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert (empty / done.stdout.strip().splitlines()[-1]).exists()
    assert (target / "hydra_plugins/glioma_os_launcher.py").exists()
    swept = subprocess.run(
        [sys.executable, "-c", code, "-m", "stage=verify", *TINY, "seed=1,2"], cwd=empty, env=environment,
        capture_output=True, text=True,
    )  # fmt: skip
    assert swept.returncode == 0 and "2 of 2 jobs done" in swept.stderr, swept.stderr[-2000:]


def test_the_dashboard_has_what_a_lab_expects(study):
    folder, _ = study
    runs = read_runs(folder / "runs")
    jobs = Counter(page["job_type"] for page in runs.values())
    assert jobs == {"pretrain": 1, "finetune": 5, "survival": 3, "study": 1}
    assert {page["group"] for page in runs.values()} == {"demo"}
    fine = [page for page in runs.values() if page["job_type"] == "finetune" and "test/dice_wt" in page["summary"]]
    assert len(fine) == 4, "the one for Besta held nobody out"
    for page in fine:
        summary, config = page["summary"], page["config"]
        assert summary["test/dice_wt_low"] <= summary["test/dice_wt"] <= summary["test/dice_wt_high"]
        assert config["network.init_filters"] == 8 and config["seed"] == 7 and config["transfer.name"] == "full"
        assert any("train/loss" in row for row in page["history"])
        captions = page["summary"]["slices.captions"]
        assert len(captions) == page["summary"]["slices.count"] == 8 and all(c.startswith("P-") for c in captions)
        masks = page["summary"]["slices.all_masks"]
        assert all(set(each) == {"predicted", "reference"} for each in masks) and len(masks) == 8
        written = {file.name for file in page["files"]}
        assert {Path(mask["path"]).name for each in masks for mask in each.values()} <= written
    for page in (page for page in runs.values() if page["job_type"] == "survival"):
        (table,) = tables(page, "predictions")
        assert table["columns"][0] == "case" and len(table["data"]) == 16
        assert all(row[0].startswith("P-") for row in table["data"])
        assert {"test/auc", "test/auc_low", "test/auc_high", "test/age_auc", "test/delta_auc"} <= set(page["summary"])
        assert {"km.path", "calibration.path"} <= {key for row in page["history"] for key in row}


def test_the_lineage_goes_from_pretraining_to_the_report(study):
    folder, _ = study
    made = {a["name"]: a for page in read_runs(folder / "runs").values() for a in page["artefacts"]}
    (report,) = [artefact for artefact in made.values() if artefact["type"] == "report"]
    assert report["files"] == ["lineage.json"], "the page shows case ids and stays"
    assert len(report["metadata"]["parents"]) == 3
    for name in report["metadata"]["parents"]:
        for segmenter in made[name]["metadata"]["parents"]:
            assert made[segmenter]["type"] == "model" and "weights.safetensors" in made[segmenter]["files"]
            (start,) = made[segmenter]["metadata"]["parents"]
            assert start.startswith("pretrain-") and made[start]["metadata"]["parents"] == []


def written_by_wandb(folder):
    found = [path for path in folder.glob("runs/*/*/*/wandb/**/*") if path.is_file()]
    assert found
    return b"".join(path.read_bytes() for path in found) + "".join(path.name for path in found).encode()


def test_no_name_of_a_folder_a_header_or_a_case_is_in_a_byte_of_the_dashboard(study):
    folder, done = study
    assert done.returncode == 0
    cases = {row["case_id"] for path in folder.glob("runs/finetune/demo/*/dice.csv")
             for row in csv.DictReader(path.read_text().splitlines())}  # fmt: skip
    written = written_by_wandb(folder)
    assert len(cases) == 16 and not [name for name in (CANARY, *cases) if name.encode() in written]


def test_nor_that_of_an_exception(study):
    folder, _ = study
    done = run(folder, "stage=segment", *TINY, "settings={}", "logger=wandb", "name=broken",
               "pretraining.schedule.lr=1e30", "pretraining.schedule.epochs=20")  # fmt: skip
    assert done.returncode == 6, done.stderr[-2000:]
    assert list(folder.glob("runs/pretrain/broken/*/wandb")) and CANARY.encode() not in written_by_wandb(folder)


def test_waiting_dashboards_are_listed_and_sent_only_with_an_account(study):
    folder, _ = study
    listed = run(folder, "stage=sync")
    assert listed.returncode == 0 and "sync.send=true" in listed.stderr
    environment = {k: v for k, v in os.environ.items() if k not in ("WANDB_API_KEY", "GLIOMA_OS_HOME")}
    sent = subprocess.run(
        [sys.executable, "-m", "glioma_os", "stage=sync", "sync.send=true"], cwd=folder, capture_output=True, text=True,
        env=environment | {"HOME": str(folder)}, timeout=100,
    )  # fmt: skip
    assert sent.returncode == 4 and "WANDB_API_KEY" in sent.stderr
