"""Every yaml under conf/ composes, and everything it names is built."""

import inspect
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import get_object
from omegaconf import OmegaConf

from glioma_os.__main__ import config_folder
from glioma_os.config.component import Component, plain
from glioma_os.config.registry import check_targets
from glioma_os.errors import ConfigError, EnvironmentFault

CONF = config_folder()
GROUPS = sorted(p.name for p in CONF.iterdir() if p.is_dir())
OPTIONS = [(group, option.stem) for group in GROUPS for option in sorted((CONF / group).glob("*.yaml"))]
WITH = {("features", "csv"): ["features.path=x.csv"], ("cohort", "brats_table"): ["cohort.table=x.csv"],
        ("cohort", "table"): ["cohort.table=x.csv"]}  # fmt: skip


def configuration(*overrides):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("config", overrides=list(overrides))


def build(node, key, **extra):
    return Component.read(node, key).build(**extra)


def targets(node):
    if isinstance(node, dict):
        if "_target_" in node:
            yield node
        for value in node.values():
            yield from targets(value)


@pytest.mark.parametrize(("group", "option"), OPTIONS, ids=lambda x: x)
def test_every_option_composes_and_its_targets_take_its_keys(group, option):
    cfg = configuration(
        f"{group}={option}" if group != "schedule" else f"schedule@pretraining.schedule={option}",
        *WITH.get((group, option), []),
    )
    whole = plain(OmegaConf.masked_copy(cfg, [key for key in cfg if key != "hydra"]))
    check_targets(whole)
    for node in targets(whole):
        signature = inspect.signature(get_object(node["_target_"]))
        names = {name for name in node if name != "_target_"}
        signature.bind_partial(**dict.fromkeys(names))


BUILT = [
    (group, option)
    for group, option in OPTIONS
    if group in ("network", "transfer", "endpoint", "head", "trainer", "schedule")
]


@pytest.mark.parametrize(("group", "option"), BUILT, ids=lambda x: x)
def test_what_an_option_names_is_built(group, option):
    if group == "schedule":
        schedule = configuration(f"schedule@pretraining.schedule={option}").pretraining.schedule
        assert callable(build(schedule.objective, "schedule.objective")) and callable(
            build(schedule.augmentation, "schedule.augmentation")
        )
        return
    node = configuration(f"{group}={option}")[group]
    if group == "head":
        heads = {name: build(head, f"head.{name}") for name, head in node.items()}
        assert heads and all(head.name == name for name, head in heads.items())
    elif node.get("accelerator") == "gpu":
        import torch

        if torch.cuda.device_count() >= node.devices:
            build(node, group)
        else:
            with pytest.raises(EnvironmentFault):
                build(node, group)
    else:
        assert build(node, group, **({"channels": 2} if group == "network" else {})) is not None


@pytest.mark.parametrize("name", ["synthetic_brats2018", "synthetic_brats2020", "synthetic_besta"])
def test_synthetic_cohorts_are_built(name, tmp_path):
    cfg = configuration(f"cohort={name}", f"paths.root={tmp_path}", "synthetic.patients=4", "synthetic.spacing_mm=8")
    assert len(build(cfg.cohort, "cohort").cases()) == 4


@pytest.mark.parametrize("name", ["brats", "brats2018", "besta", "upenn", "ucsf"])
def test_a_cohort_without_a_place_says_how_to_give_one(name, monkeypatch):
    for source in ("BRATS2018", "BRATS2020", "BESTA", "UPENN", "UCSF"):
        monkeypatch.delenv(f"GLIOMA_OS_{source}", raising=False)
    with pytest.raises(ConfigError, match="GLIOMA_OS"):
        build(configuration(f"cohort={name}").cohort, "cohort")


@pytest.mark.parametrize("option", sorted(p.stem for p in (CONF / "experiment").glob("*.yaml")))
def test_experiments_have_stages_that_exist_and_heads_that_serve_their_endpoint(option):
    cfg = configuration(f"experiment={option}")
    endpoint = build(cfg.endpoint, "endpoint")
    assert all(endpoint.kind in build(node, f"head.{name}").kinds for name, node in cfg.head.items())
    for overrides in plain(cfg.settings).values():
        configuration(f"experiment={option}", *overrides)


def test_every_stage_has_a_main():
    for path in (CONF / "stage").glob("*.yaml"):
        node = plain(configuration(f"stage={path.stem}").stage)
        assert list(inspect.signature(get_object(node["_target_"])).parameters) == ["cfg"]


@pytest.mark.parametrize(
    "target",
    ["os.system", "shutil.copy", "torch.load", "torch.hub.load", "numpy.load", "builtins.eval", "glioma_osx.y"],
)
def test_configuration_cannot_name_other_code(target):
    cfg = OmegaConf.create({"_target_": "glioma_os.fusion.heads.cox.Cox", "inner": [{"_target_": target, "x": 1}]})
    with pytest.raises(ConfigError, match=r"head\.cox\.inner\[0\]\._target_"):
        build(cfg, "head.cox")


def test_environment_is_read_under_paths_only():
    for path in CONF.rglob("*.yaml"):
        if path.parent.name != "paths":
            assert "oc.env" not in path.read_text(), path


def test_a_wrong_key_or_value_names_itself():
    with pytest.raises(ConfigError, match="transfer"):
        build(OmegaConf.create({"_target_": "glioma_os.modules.transfer.Full", "nam": "full"}), "transfer")
    with pytest.raises(ConfigError, match="last_stage"):
        build(OmegaConf.create({"_target_": "glioma_os.modules.transfer.Full", "name": "ful"}), "transfer")


def test_the_folder_of_the_package_is_the_one_shipped():
    assert CONF == Path(__file__).resolve().parents[2] / "conf"
