"""--help, wrong input, exit codes."""

import subprocess
import sys

import numpy as np
import pytest

from glioma_os import NOTICE
from glioma_os.volumes.nifti import write_nifti
from tests.program import run

NAME = "BraTS20_Training_001"


def test_help_imports_nothing_heavy(tmp_path):
    done = run(tmp_path, "--help")
    assert done.returncode == 0 and NOTICE in done.stdout
    for word in ("verify", "prepare", "segment", "latents", "survival", "report", "study", "experiment", "demo"):
        assert word in done.stdout
    code = "import sys, glioma_os.__main__ as m; sys.argv = ['x', '--help']; m.main(); print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.split()
    assert not {"torch", "hydra", "monai", "lightning", "pandas", "numpy"} & set(modules)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["cohort.rooot=x", "cohort=brats"], ["cohort.rooot", "did you mean", "root"]),
        (["cohort=brast"], ["brast", "did you mean", "brats"]),
        (["stage=studdy"], ["studdy", "study"]),
        (["transfer.name=melt", "stage=segment", "synthetic.patients=12", "synthetic.spacing_mm=8"], ["melt", "full"]),
        (["cohort=brats", "cohort.root=nowhere", "stage=verify"], ["nowhere", "GLIOMA_OS_BRATS2020"]),
        (["cohort=brats_table", "stage=survival", "features=none"], ["cohort.table"]),
        (["synthetic.signal=2", "stage=verify"], ["synthetic.signal", "0.93"]),
        (
            ["validation.leak_policy=lax", "synthetic.patients=12", "synthetic.spacing_mm=8", "stage=latents"],
            ["strict"],
        ),
        (["cohort._target_=os.system", "stage=verify"], ["cohort._target_", "os.system"]),
        (["seed=abc", "stage=survival"], ["seed", "abc", "a whole number"]),
        (
            ["head=[]", "stage=survival", "features=none", "synthetic.patients=12", "synthetic.spacing_mm=8"],
            ["head", "none found", "cox"],
        ),
        (["cohort=3", "stage=verify"], ["group", "int"]),
        (["head.mlp.drop_out=0", "stage=survival"], ["head.mlp.drop_out", "did you mean 'dropout'"]),
        (["head.cox.l2=1", "stage=survival"], ["head.cox.l2", "a list"]),
    ],
    ids=lambda x: x[0] if isinstance(x, list) else "",
)
def test_wrong_configuration_is_one_sentence_and_exit_2(tmp_path, arguments, words):
    done = run(tmp_path, *arguments)
    assert done.returncode == 2, done.stderr[-1500:]
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ConfigError") and all(word in last for word in words), last
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()


@pytest.fixture
def folder(tmp_path, write_case, four_images):
    write_case(f"data/{NAME}", four_images())
    return tmp_path / "data"


def verify(folder):
    return run(folder.parent, "stage=verify", "cohort=brats", f"cohort.root={folder}")


def test_a_sound_folder_is_said_to_be(folder):
    done = verify(folder)
    assert done.returncode == 0 and "0 errors, 0 notes" in done.stderr


def truncate(path, arrays, affine):
    path.write_bytes(path.read_bytes()[:-200])


def other_affine(path, arrays, affine):
    moved = affine.copy()
    moved[:3, 3] += (10, -10, 0)
    write_nifti(path, arrays["t2"], moved)


def label_three(path, arrays, affine):
    write_nifti(
        path.with_name(path.name.replace("_t2", "_seg")), np.where(arrays["seg"] == 4, 3, arrays["seg"]), affine
    )


def missing(path, arrays, affine):
    path.unlink()


@pytest.mark.parametrize("fault", [truncate, other_affine, label_three, missing])
def test_a_bad_case_is_found_by_verify_and_stops_prepare_with_nothing_half_written(folder, four_images, affine, fault):
    fault(folder / NAME / f"{NAME}_t2.nii.gz", four_images(), affine)
    done = verify(folder)
    assert done.returncode == 3 and "1 errors" in done.stderr and NAME in done.stderr
    done = run(folder.parent, "stage=prepare", "cohort=brats", f"cohort.root={folder}", "pretraining.source=none")
    last = done.stderr.strip().splitlines()[-1]
    assert (done.returncode == 3 and last.startswith("DataError") and "found" in last) or "ended early" in last, last
    assert not list((folder.parent / "store").rglob("*.safetensors"))


def test_conflicting_rows_are_found(folder):
    head = "Brats20ID,Age,Survival_days,Extent_of_Resection"
    (folder / "survival_info.csv").write_text(f"{head}\n{NAME},50,100,GTR\n{NAME},51,100,GTR\n")
    done = verify(folder)
    assert done.returncode == 3 and "conflicting" in done.stderr and "row 3" in done.stderr


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(0)
    rows = [f"BraTS20_Training_{k:03d},{a:.3f},{int(900 - 8 * a + 150 * rng.random())},GTR"
            for k, a in enumerate(rng.uniform(30, 80, 60), start=1)]  # fmt: skip
    path = tmp_path / "survival_info.csv"
    path.write_text("\n".join(["Brats20ID,Age,Survival_days,Extent_of_Resection", *rows]) + "\n")
    return path


def test_a_sweep_over_heads_on_a_table(tmp_path, table):
    done = run(
        tmp_path, "stage=survival", "features=none", "cohort=brats_table", f"cohort.table={table}", "head=cox,logistic",
        "endpoint=binary_median", "-m",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(list(tmp_path.glob("runs/survival/study/*/scores.csv"))) == 2
    assert "head=cox" in done.stderr and "head=logistic" in done.stderr and "stage=collect runs=" in done.stderr
    logs = [path.read_text() for path in tmp_path.glob("runs/sweep/study/*/job.log")]
    assert len(logs) == 2 and all("Δ age" in log for log in logs)


def test_a_bad_job_of_a_sweep_does_not_stop_the_others(tmp_path, table):
    done = run(
        tmp_path, "stage=survival", "features=none", "cohort=brats_table", f"cohort.table={table}",
        "head=logistic,cox", "endpoint=time_to_event", "-m",
    )  # fmt: skip
    assert done.returncode == 1 and "head=logistic" in done.stderr
    assert len(list(tmp_path.glob("runs/survival/study/*/DONE"))) == 1


def test_a_feature_csv_of_others_goes_through_the_same_door(tmp_path, table):
    ids = [line.split(",")[0] for line in table.read_text().splitlines()[1:]]
    rows = [f"{case},{k % 7},{k * 3 % 11}" for k, case in enumerate(ids)]
    (tmp_path / "f.csv").write_text("\n".join(["case_id,a,b", *rows]) + "\n")
    common = ["stage=survival", "features=csv", "cohort=brats_table", f"cohort.table={table}", "head=logistic",
              "features.encoder_patients=none"]  # fmt: skip
    done = run(tmp_path, *common, "features.path=f.csv", "validation.components=[2]")
    assert done.returncode == 0 and "fused" in done.stderr, done.stderr[-2000:]
    (tmp_path / "f.csv").write_text("\n".join(["case_id,a,b", *rows[1:]]) + "\n")
    done = run(tmp_path, *common, "features.path=f.csv", "validation.components=[2]")
    assert done.returncode == 3 and ids[0] in done.stderr
