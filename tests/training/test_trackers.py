from glioma_os.training.trackers import CURVES, CurveLogger


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
