"""Keys of the release before: a saved command or preset works, and says what to write now."""

import pytest
from omegaconf import OmegaConf

from glioma_os.__main__ import spelled_out
from glioma_os.config.renamed import RENAMED, rename_keys
from tests.contracts.test_conf import configuration
from tests.program import run


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_an_old_word_is_the_new_key_with_a_warning(old, new, capsys):
    assert spelled_out([f"{old}=x", f"+{old}=x", "seed=3", f"name={old}"]) == [
        f"{new}=x", f"+{new}=x", "seed=3", f"name={old}"
    ]  # fmt: skip
    assert f"{old} is called {new} now" in capsys.readouterr().err


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_the_new_key_exists(old, new):
    words = ["features=csv", "features.path=x"] if new.startswith("features") else []
    words += ["transfer=gradual"] if new.startswith("transfer") else []
    assert OmegaConf.select(configuration(*words), new, default="missing") != "missing"


def test_an_old_key_of_a_preset_replaces_the_default(capsys):
    assert spelled_out(["stage=null_runs"]) == ["stage=permutation_test"]
    cfg = OmegaConf.create({"finetuning": {"source": "own", "from": "none", "fraction": 1.0}})
    rename_keys(cfg)
    assert cfg.finetuning == {"source": "none", "fraction": 1.0} and "finetuning.from" in capsys.readouterr().err


def test_a_command_of_the_release_before_runs(tmp_path):
    (tmp_path / "own/experiment").mkdir(parents=True)
    preset = "# @package _global_\nfinetuning:\n  from: none\n"
    (tmp_path / "own/experiment/mine.yaml").write_text(preset)
    words = ["stage=prepare", "synthetic.patients=2", "synthetic.spacing_mm=8", "pretraining.from=none"]
    done = run(tmp_path, "--config-dir", "own", "experiment=mine", *words)
    assert done.returncode == 0 and "2 cases ready" in done.stderr, done.stderr
    assert "pretraining.from is called" in done.stderr and "finetuning.from is called" in done.stderr
