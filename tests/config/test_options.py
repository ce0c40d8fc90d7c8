import pytest
from hydra import compose, initialize_config_dir

from glioma_os.__main__ import config_folder
from glioma_os.errors import ConfigError
from glioma_os.stages.assemble import check_options
from tests.contracts.test_conf import build


@pytest.fixture(autouse=True)
def composed():
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        yield


@pytest.mark.parametrize(
    "word",
    [
        "seed=abc", "seed=1.5", "seed=null", "seed=true", "validation.folds=five", "channels=t1c",
        "validation.components=8", "pretraining.schedule.lr=fast",
        "trainer.retain_freed_memory=maybe", "trainer.retain_freed_memory=1",
    ],
)  # fmt: skip
def test_another_type_than_the_keys_own_is_an_error_that_names_it(word):
    key = word.partition("=")[0]
    with pytest.raises(ConfigError) as caught:
        check_options(compose("config", ["stage=survival", word]))
    assert caught.value.where == key and "expected" in caught.value.problem and caught.value.remedy


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
        ["synthetic.patients=${seed}", "pretraining.schedule.patch=null", "~head.cox"],
        ["cohort=besta", "cohort.table=x.csv", "hydra.launcher.n_jobs=2", "hydra/launcher=slurm"],
    ],
)
def test_what_fits_passes(words):
    check_options(compose("config", words))


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("validation.leak_policy=lax", "paper_like"),
        ("validation.interval=normal", "bca"),
        ("validation.clinical=everything", "age"),
        ("seed=-1", "0 or more"),
        ("validation.replicates=0", "20 or more"),
        ("validation.inner_folds=1", "2 or more"),
        ("permutation_test.kind=else", "one of 'labels', 'noise' or 'features'"),
        ("permutation_test.runs=0", "1 or more"),
        ("validation.components=[]", "1 or more"),
        ("validation.horizons_days=[-5]", "rising days"),
        ("validation.horizons_days=[300,100]", "rising days"),
        ("validation.horizons_days=[soon]", "a number"),
    ],
)
def test_values_that_nothing_can_be_made_of_are_told_before_any_work(word, expected):
    with pytest.raises(ConfigError) as caught:
        check_options(compose("config", [word]))
    assert caught.value.where == word.partition("=")[0] and expected in str(caught.value)


@pytest.mark.parametrize("words", [[], ["seed=0", "validation.horizons_days=[]", "validation.components=[null]"]])
def test_values_at_their_edge_pass(words):
    check_options(compose("config", words))


@pytest.mark.parametrize(
    ("word", "where"),
    [
        ("head.mlp=4", "head.mlp"),
        ("head.mlp.dropout=1.5", "head.mlp.dropout"),
        ("head.mlp.hidden=0", "head.mlp.hidden"),
        ("+head.mlp.nonsense=1", "head.mlp.nonsense"),
    ],
)
def test_what_no_head_can_be_built_from_names_its_key(word, where):
    with pytest.raises(ConfigError) as caught:
        build(compose("config", ["head=mlp", word]).head.mlp, "head.mlp")
    assert caught.value.where == where


def test_a_file_outside_the_cohorts_folder_is_noted(tmp_path):
    from glioma_os.records import Case, Modality
    from glioma_os.stages.verify import outside_root

    (tmp_path / "root").mkdir()
    (tmp_path / "away.nii").touch()
    (tmp_path / "root" / "link.nii").symlink_to(tmp_path / "away.nii")
    (tmp_path / "root" / "own.nii").touch()
    images = {Modality.T1: tmp_path / "root" / "link.nii", Modality.T2: tmp_path / "root" / "own.nii"}
    (found,) = outside_root(Case("a", "a", "c", None, images), tmp_path / "root")
    assert found.level == "note" and found.where == "link.nii" and "outside cohort.root" in found.problem
