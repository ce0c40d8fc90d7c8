"""Lightning's own loggers, by yaml alone."""

import pytest
from hydra import compose, initialize_config_dir

from glioma_os.__main__ import config_folder
from glioma_os.errors import ConfigError, EnvironmentFault
from glioma_os.stages.publishing import loggers_of
from glioma_os.stages.setting import Setting
from glioma_os.training.run import Run


def setting(*overrides):
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        return Setting(compose("config", overrides=list(overrides)))


def test_tensorboard_writes_its_events_into_the_run(tmp_path):
    run = Run(tmp_path, "finetune", "name", {}, 1)
    _, board = loggers_of(setting("logger=tensorboard"), run)
    board.log_metrics({"train/loss": 0.5}, 1)
    board.finalize("success")
    assert len(list(run.folder.rglob("events.*"))) == 1


def test_a_logger_that_is_not_installed_says_what_to_install(tmp_path):
    run = Run(tmp_path, "finetune", "name", {}, 1)
    with pytest.raises(EnvironmentFault, match="pip install"):
        loggers_of(setting("logger=mlflow"), run)
    with pytest.raises(ConfigError, match="logger.kind"):
        loggers_of(setting("logger.kind=tensorbored"), run)
