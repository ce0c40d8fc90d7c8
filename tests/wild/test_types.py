"""Values of a type that a key does not take: one sentence with the key, and exit code 2."""

import pytest
from hydra import compose, initialize_config_dir

from glioma_os.__main__ import config_folder
from glioma_os.errors import ConfigError
from glioma_os.stages.assemble import check_options
from glioma_os.sweeps.jobs import Pool
from tests.program import run

WRONG = [
    ("validation.repeats", "abc", "or 'auto'"), ("validation.repeats", "1.5", "or 'auto'"),
    ("validation.repeats", "0", "or 'auto'"), ("validation.repeats", "true", "or 'auto'"),
    ("validation.repeats", "null", "or 'auto'"),
    ("cohort.id_column", "5", "text"), ("cohort.id_column", "null", "text"), ("cohort.table", "5", "text"),
    ("cohort.table", "[a]", "text"), ("cohort.event_column", "1.5", "text"), ("cohort.name", "null", "text"),
    ("cohort.alias_columns", "[5]", "text"), ("paths.runs", "null", "text"), ("paths.root", "5", "text"),
    ("paths.store", "", "text"), ("name", "null", "text"), ("name", "", "text"), ("setting", "null", "text"),
    ("setting", "", "text"), ("seed", "99999999999999999999", "4294967295"), ("seed", "4294967296", "4294967295"),
    ("seed", "-1", "0 or more"), ("seed", "true", "a whole number"), ("trainer.devices", "-1", "1 or more"),
    ("trainer.devices", "0", "1 or more"), ("trainer.devices", "two", "a whole number"),
    ("synthetic.seed", "-1", "0 or more"),
]  # fmt: skip


def values_of(*words):
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        check_options(compose("config", ["cohort=table", "cohort.table=t.csv", *words]))


@pytest.mark.parametrize(("key", "value", "expected"), WRONG)
def test_a_value_of_another_type_is_one_sentence(key, value, expected):
    with pytest.raises(ConfigError, match=rf"^{key}: .* found → .*{expected}.*expected\. \w"):
        values_of(f"{key}={value}")


@pytest.mark.parametrize(
    "word",
    ["validation.repeats=auto", "validation.repeats=3", "seed=4294967295", "cohort.event_column=null", "name=7",
     "cohort.table='\"5\"'", "cohort.alias_columns=[tcga]", "paths.runs=/tmp/x"],
)  # fmt: skip
def test_a_value_of_the_right_type_is_taken(word):
    values_of(word.replace("'", ""))


@pytest.mark.parametrize("other", ["other", "cohorts.a", "pretraining.cohort", "finetuning.cohort"])
def test_every_cohort_of_a_configuration_is_checked(other):
    group = "cohort@" + other
    plus = "+" if other.startswith("cohorts") else ""
    with pytest.raises(ConfigError, match=f"{other}.id_column"):
        values_of(f"{plus}{group}=table", f"{other}.table=t.csv", f"{other}.id_column=5")


@pytest.mark.parametrize(
    ("key", "value"),
    [("n_jobs", "two"), ("n_jobs", 1.5), ("n_jobs", True), ("n_jobs", None), ("n_jobs", 0), ("time_limit_s", "abc"),
     ("time_limit_s", 0), ("time_limit_s", float("nan")), ("retries", "x"), ("retries", -1), ("gpus", ("a",))],
)  # fmt: skip
def test_options_of_a_sweep_of_another_type(key, value):
    with pytest.raises(ConfigError, match=rf"^hydra\.launcher\.{key}: .* found → .* expected\. \w"):
        Pool(**{key: value})


@pytest.mark.parametrize(
    "words",
    [("name=",), ("name=null",), ("setting=null",), ("paths.runs=null",), ("cohort.id_column=5",), ("cohort.table=5",),
     ("-m", "hydra.launcher.n_jobs=two"), ("-m", "hydra.launcher.time_limit_s=abc"), ("seed=99999999999999999999",)],
)  # fmt: skip
def test_the_program_ends_with_one_sentence(tmp_path, words):
    done = run(tmp_path, "stage=survival", "cohort=table", "cohort.table=x.csv", "features=none", *words)
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1 and done.stderr.strip().startswith("ConfigError: "), done.stderr


@pytest.mark.parametrize("text", ["a: [1, 2\nb: 3\n", "a: 1\na: 2\n", "a: \x07\n", "\tb: 1\n", "a: b: c\n"])
def test_a_configuration_file_that_is_no_yaml(tmp_path, text):
    (tmp_path / "own/experiment").mkdir(parents=True)
    (tmp_path / "own/experiment/mine.yaml").write_text(f"# @package _global_\n{text}")
    done = run(tmp_path, "--config-dir", "own", "stage=survival", "experiment=mine")
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "mine.yaml" in done.stderr and "YAML expected" in done.stderr
