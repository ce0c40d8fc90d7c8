"""Lightning's own loggers, by yaml alone."""

import pytest

from glioma_os.errors import ConfigError, EnvironmentFault
from glioma_os.training.run import Run
from tests.pipeline.composed import Composed


def loggers_of(word, run):
    workspace = Composed("features=none", "cohort=table", "cohort.table=x.csv", word).workspace
    return workspace.tracker.loggers(workspace.title, run)


def test_tensorboard_writes_its_events_into_the_run(tmp_path):
    run = Run(tmp_path, "finetune", "name", {}, 1)
    _, board = loggers_of("logger=tensorboard", run)
    board.log_metrics({"train/loss": 0.5}, 1)
    board.finalize("success")
    assert len(list(run.folder.rglob("events.*"))) == 1


def test_a_logger_that_is_not_installed_says_what_to_install(tmp_path):
    run = Run(tmp_path, "finetune", "name", {}, 1)
    with pytest.raises(EnvironmentFault, match="pip install"):
        loggers_of("logger=mlflow", run)
    with pytest.raises(ConfigError, match=r"logger\._target_"):
        loggers_of("logger._target_=tensorbored", run)
