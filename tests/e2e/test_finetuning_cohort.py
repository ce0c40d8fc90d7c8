"""Fine-tuning on another cohort that shares patients with the survival cohort: counted, and refused under `strict`."""

import json

from glioma_os.cohorts.overlap import same_people
from glioma_os.cohorts.synthetic import synthetic_cohort
from tests.e2e.test_study import TINY
from tests.program import run


def test_shared_patients_of_the_finetuning_cohort_are_found_and_a_fraction_of_it_is_trained_on(tmp_path):
    words = ["experiment=demo", *TINY[1:], "settings={}", "pretraining.source=none", "finetuning.source=cohort",
             "cohort@finetuning.cohort=synthetic_brats2018", "transfer=scratch",
             "finetuning.schedule.epochs=1"]  # fmt: skip
    done = run(tmp_path, "stage=survival", *words, "finetuning.fraction=0.5")
    assert done.returncode == 5, done.stderr[-2000:]
    (finetuned,) = tmp_path.glob("runs/finetune/*/*/patients.json")
    ((name, trained),) = json.loads(finetuned.read_text()).items()
    size = {"patients": 16, "spacing_mm": 8.0, "signal": 0.9, "seed": 44}
    own, other = (synthetic_cohort(kind, tmp_path / "store/synthetic", **size) for kind in ("brats2020", "brats2018"))
    patients = {case.patient_id for case in other.cases()}
    assert name == other.name and set(trained) < patients and len(trained) == len(patients) // 2
    shared = same_people(own, other, set(trained))
    assert shared and done.returncode == 5
    assert "test patients are among those the encoder was trained on" in done.stderr
    again = run(tmp_path, "stage=survival", *words, "finetuning.fraction=0.5", "validation.leak_policy=report")
    assert again.returncode == 0, again.stderr[-2000:]
    (summary,) = tmp_path.glob("runs/survival/*/*/summary.json")
    summary_values = json.loads(summary.read_text())
    assert summary_values["seen_by_encoder"] == len(shared & {case.patient_id for case in own.cases() if case.outcome})
    assert summary_values["pretraining_patients"] == []
