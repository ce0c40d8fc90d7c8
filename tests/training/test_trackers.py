import pytest

from glioma_os.errors import ConfigError
from glioma_os.training.trackers import CURVES, CurveLogger, build_loggers

CANARY = "ROSSI_MARIO"


def test_curves_keep_what_came_before_a_resume_and_replace_what_came_after(tmp_path):
    first = CurveLogger(tmp_path)
    for step in (9, 19, 29):
        first.log_metrics({"train/loss": 1 / step, "epoch": step // 10}, step)
    first.save()
    resumed = CurveLogger(tmp_path)
    resumed.log_metrics({"train/loss": 0.5, "epoch": 1}, 19)
    resumed.finalize("success")
    lines = (tmp_path / CURVES).read_text().splitlines()
    assert lines[0] == "step,train/loss,epoch" and [line.split(",")[0] for line in lines[1:]] == ["9.0", "19.0"]
    assert lines[2].split(",")[1] == "0.5"


def test_csv_is_always_there_and_other_words_are_refused(tmp_path):
    options = {"folder": tmp_path, "name": "n", "group": "g", "job_type": "j", "project": "p"}
    assert [type(logger).__name__ for logger in build_loggers("csv", **options)] == ["CurveLogger"]
    with pytest.raises(ConfigError, match="wandb"):
        build_loggers("tensorbored", **options)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_wandb_is_offline_and_records_no_path_and_no_console(tmp_path, monkeypatch, capfd):
    import wandb

    monkeypatch.delenv("WANDB_MODE", raising=False)
    folder = tmp_path / CANARY
    folder.mkdir()
    monkeypatch.chdir(folder)
    _, logger = build_loggers("wandb", folder, name="run", group="sweep", job_type="finetune", project="glioma_os")
    logger.log_metrics({"train/loss": 0.25}, step=1)
    print(f"{CANARY} was here")
    logger.finalize("success")
    wandb.finish()
    (record,) = folder.rglob("*.wandb")
    # What a later sync would send; wandb's own debug logs stay on the machine.
    sent = [record, *(path for path in (record.parent / "files").rglob("*") if path.is_file())]
    written = b"".join(path.read_bytes() for path in sent)
    assert b"sweep" in written and b"finetune" in written and b"train/loss" in written
    assert CANARY.encode() not in written
