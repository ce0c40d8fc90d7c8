"""Words of the command line and of configuration files as people, and others, write them."""

import os

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from glioma_os.__main__ import _of_hydra, config_folder
from glioma_os.config.guards import check_names, guard_configuration
from glioma_os.errors import ConfigError
from glioma_os.pipeline.trackers import UNPUBLISHED
from glioma_os.stages.assemble import heads_of, workspace_of
from glioma_os.training.run import Run
from tests.program import run

SECRET = "hunter2-token"


def configuration(*words):
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        return compose("config", overrides=list(words))


@pytest.fixture
def guarded(monkeypatch):
    """As in the program; undone for other tests."""
    from hydra._internal.config_loader_impl import ConfigLoaderImpl
    from omegaconf.resolvers import oc

    monkeypatch.setattr(ConfigLoaderImpl, "load_configuration", ConfigLoaderImpl.load_configuration)
    guard_configuration()
    monkeypatch.setenv("SECRET_TOKEN", SECRET)
    monkeypatch.setenv("GLIOMA_OS_BRATS2018", SECRET)
    yield
    OmegaConf.register_new_resolver("oc.env", oc.env, replace=True)


AWKWARD = [
    "/d/a(1)/x.csv", "/d/a=b.csv", "/d/Zoë/数据.csv", "/d/a[1].csv", "/d/a{1}.csv", "/d/it's.csv", "/d/a#b;c&d!.csv",
    '/d/a"b.csv', "/d/a,b.csv", "/d/Ünïcode (copy), final=2.csv",
]  # fmt: skip


@pytest.mark.parametrize("path", AWKWARD)
def test_a_path_that_cannot_be_read_is_shown_as_it_can_be(path):
    with pytest.raises(Exception) as caught:
        configuration("cohort=table", f"cohort.table={path}")
    told = _of_hydra(caught.value)
    assert told.startswith("cohort.table: ") and "grammar" not in told and "LexerNo" not in told
    import shlex

    suggested = told[told.index("rite ") + 5 : told.rindex(", single quotes")]
    (word,) = shlex.split(suggested)
    assert configuration("cohort=table", word).cohort.table == path


@pytest.mark.parametrize("word", ["foo bar", "(", "[a]"])
def test_a_word_without_a_key_is_one_sentence(word):
    with pytest.raises(Exception) as caught:
        configuration(word)
    assert "key=value expected" in _of_hydra(caught.value)


OUTSIDE = [
    "../../x",
    "/abs",
    "..",
    ".",
    "a/b",
    "a\\b",
    ".hidden",
    "-rf",
    "x\n",
    "x\0",
    "\x1b[2J",
    "a*",
    "[a]",
    "~",
    "é" * 90,
]


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_name_that_leads_out_of_the_run_folder_is_refused(name):
    for key in ("name", "setting", "logger.project", "logger.logger.name"):
        cfg = OmegaConf.create({"name": "fine", "logger": {"logger": {}}, "settings": {}})
        OmegaConf.update(cfg, key, name)
        with pytest.raises(ConfigError, match=key):
            check_names(cfg)
    for key in ("settings", "cohorts"):
        with pytest.raises(ConfigError, match=key):
            check_names(OmegaConf.create({"name": "fine", key: {name: []}}))


@pytest.mark.parametrize("name", ["study", "BraTS4CH", "run 2", "mine_v1.2", "Zoë", "数据", "a+b (c)", "x" * 80])
def test_a_plain_name_is_taken(name):
    check_names(OmegaConf.create({"name": name, "setting": name, "settings": {name: []}}))


@pytest.mark.parametrize("word", ["name=../../x", "name=/abs", "name=${oc.env:HOME}", "setting=../x"])
def test_the_program_refuses_such_names_and_writes_nothing(tmp_path, word):
    done = run(tmp_path, "stage=survival", "cohort=table", "cohort.table=x.csv", "features=none", word)
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("setting", "q${oc.env:SECRET_TOKEN}"), ("name", "${oc.env:SECRET_TOKEN}"),
        ("x", "${oc.decode:${oc.env:SECRET_TOKEN}}"), ("x", "${oc.${y}:SECRET_TOKEN}"),
        ("paths.root", "${oc.env:SECRET_TOKEN}"), ("setting", "${oc.env:GLIOMA_OS_BRATS2018}"),
        ("x", "${oc.env:SECRET_TOKEN,none}"), ("x.paths.root", "${oc.env:GLIOMA_OS_BRATS2018}"),
    ],
)  # fmt: skip
def test_no_other_variable_of_the_environment_is_read(guarded, key, value):
    cfg = configuration("+y=env")
    OmegaConf.update(cfg, key, value, force_add=True)
    with pytest.raises((OmegaConfBaseException, ConfigError)) as caught:
        OmegaConf.select(cfg, key)
    assert SECRET not in str(caught.value)


def test_what_paths_hold_does_not_reach_a_tracker(guarded, tmp_path):
    words = ["setting=q${paths.brats2018}", "name=n${paths.brats2018}", "+head.cox.x=${paths.brats2018}",
             "validation.scaling=${oc.select:paths.brats2018}", "logger=wandb",
             "logger.project=p${paths.brats2018}"]  # fmt: skip
    cfg = configuration("head=cox", *words)
    assert cfg.setting == f"q{SECRET}"
    workspace = workspace_of(cfg)
    told = workspace.tracker._identity(workspace.title, Run(tmp_path, "survival", "n", {}, 1))
    assert SECRET not in repr(told) and told.name.startswith("q survival")


def test_a_publication_that_failed_is_made_up_for_once(tmp_path, monkeypatch):
    from glioma_os.training import wandb_runs

    made, broken = [], [True]

    def publish(who, page):
        if broken:
            raise OSError("no disk")
        made.append(page)

    monkeypatch.setattr(wandb_runs, "publish", publish)
    cfg = configuration("logger=wandb", f"paths.root={tmp_path}")
    workspace = workspace_of(cfg)
    run, tracker = workspace.run("survival", {}, 1), workspace.tracker
    run.folder.mkdir(parents=True)
    tracker.publish(workspace.title, run, dict, fresh=True)
    assert run.path(UNPUBLISHED).exists() and tracker.owes(workspace.runs) and not made
    broken.clear()
    tracker.publish(workspace.title, run, dict, fresh=False)
    tracker.publish(workspace.title, run, dict, fresh=False)
    assert len(made) == 1 and not tracker.owes(workspace.runs)


def test_a_preset_that_sets_options_of_heads_takes_any_choice_of_them():
    for head in ("cox", "mlp", "logistic"):
        cfg = configuration("experiment=upenn_radiomics", f"head={head}", "seed=1")
        assert [component.build().name for component in heads_of(cfg)] == [head]


def test_ranks_of_others_in_the_environment_change_no_file(tmp_path):
    ranks = {"RANK": "1", "LOCAL_RANK": "1", "SLURM_PROCID": "1", "WORLD_SIZE": "2"}
    words = ["stage=segment", "experiment=demo", "settings={}", "synthetic.patients=4", "synthetic.spacing_mm=8",
             "network.init_filters=8", "network.blocks_down=[1,1,1]", "network.blocks_up=[1,1]",
             "finetuning.source=none", "pretraining.schedule.epochs=1", "validation.folds=2"]  # fmt: skip
    before = {name: os.environ.get(name) for name in ranks}
    os.environ.update(ranks)
    try:
        done = run(tmp_path, *words)
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
    assert done.returncode == 0, done.stderr[-2000:]
    assert list(tmp_path.glob("runs/pretrain/*/*/metrics.csv")) and list(tmp_path.glob("runs/pretrain/*/*/DONE"))
