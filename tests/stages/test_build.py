import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from glioma_os.__main__ import config_folder
from glioma_os.errors import ConfigError
from glioma_os.stages.build import check_types


@pytest.fixture(autouse=True)
def composed():
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        yield


@pytest.mark.parametrize(
    "word",
    [
        "seed=abc", "seed=1.5", "seed=null", "seed=true", "validation.folds=five", "channels=t1c",
        "validation.components=8", "pretraining.schedule.lr=fast", "trainer.keep_pages=maybe", "trainer.keep_pages=1",
    ],
)  # fmt: skip
def test_another_type_than_the_keys_own_is_an_error_that_names_it(word):
    key = word.partition("=")[0]
    own = OmegaConf.select(compose("config"), key)
    with pytest.raises(ConfigError) as caught:
        check_types(["stage=survival", word, "experiment=demo"])
    assert caught.value.where == key and f"a value like {own} expected" in caught.value.problem


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["stage=study", "experiment=demo", "head=[cox,mlp]", "cohort@other=upenn"],
        [
            "seed=3",
            "name=5",
            "channels=[t1c]",
            "prepare.spacing_mm=2",
            "network.dropout=0",
            "validation.components=[3]",
        ],
        ["experiment=demo", "validation.repeats=auto"],  # the preset has a number where the option has this word
        ["synthetic.patients=${seed}", "pretraining.schedule.patch=null", "+new.key=x", "~head.cox"],
        ["cohort=besta", "cohort.table=x.csv", "hydra.launcher.n_jobs=2", "hydra/launcher=slurm"],
    ],
)
def test_what_fits_passes(words):
    check_types(words)
