"""The contract of every head: each yaml in conf/head/ is found, and its head is taken from configuration to report."""

import os
import subprocess
import sys
from dataclasses import MISSING, fields

import numpy as np
import pytest
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from glioma_os.__main__ import config_folder
from glioma_os.config.registry import REGISTRY
from glioma_os.fusion.pipeline import NewRows
from glioma_os.fusion.preprocessing import Preparation
from glioma_os.fusion.storage import load_pipeline, save_pipeline
from glioma_os.fusion.validation import develop_on
from glioma_os.reporting.result_files import SCORES, read_scores
from glioma_os.stages.assemble import run_stage
from glioma_os.survival.endpoints import Endpoint
from tests.contracts.test_conf import build
from tests.fusion.doubles import cohort, table

PATIENTS = 40
SMALL = {"trees": 8, "steps": 20, "rounds": 8}  # hyper-parameters that only cost time here
ENDPOINTS = {"classes": Endpoint("binary", cuts_days=(300,)), "time": Endpoint("os", kind="time")}
OPTIONS = {"classes": "binary_median", "time": "time_to_event"}


def shipped():
    """Name of every head → its node, from every yaml that holds one (others are lists of heads)."""
    nodes = [yaml.safe_load(path.read_text()) for path in sorted((config_folder() / "head").glob("*.yaml"))]
    return {name: node[name] for node in nodes for name in node if name != "defaults"}


def built(name):
    return build(OmegaConf.create(shipped()[name]), f"head.{name}")


HEADS = sorted(shipped())
SERVED = [(name, kind) for name in HEADS for kind in sorted(built(name).kinds)]


def write_tables(folder):
    """A table of patients and one of three features, of which the first tells survival."""
    rng = np.random.default_rng(3)
    values = rng.normal(size=(PATIENTS, 3)).round(4)
    days = np.ceil(np.exp(5.8 - values[:, 0] + rng.normal(0, 0.4, PATIENTS))).astype(int)
    people = [f"P{k:02d},{40 + k % 40},{day},{int(k % 5 > 0)}" for k, day in enumerate(days)]
    rows = [f"P{k:02d},{','.join(map(str, row))}" for k, row in enumerate(values)]
    (folder / "patients.csv").write_text("\n".join(["patient_id,age,os_days,event", *people]) + "\n")
    (folder / "features.csv").write_text("\n".join(["case_id,f1,f2,f3", *rows]) + "\n")


def words(folder, name, kind):
    return [
        "stage=study", "cohort=table", f"cohort.table={folder}/patients.csv", "features=csv",
        f"features.path={folder}/features.csv", "features.encoder_patients=none", f"head={name}",
        f"endpoint={OPTIONS[kind]}", f"paths.root={folder}", "validation.folds=2", "validation.inner_folds=2",
        "validation.repeats=1", "validation.replicates=20", "validation.components=[2]",
        "validation.horizons_days=[200]",
        *(f"head.{name}.{key}={value}" for key, value in SMALL.items() if key in shipped().get(name, {})),
    ]  # fmt: skip


def scores_of(folder):
    (path,) = folder.glob(f"runs/survival/*/*/{SCORES}")
    return read_scores(path)


def test_every_head_of_the_registry_has_a_yaml_and_a_title_of_its_own():
    assert {node["_target_"] for node in shipped().values()} == set(REGISTRY["head"])
    titles = [built(name).title for name in HEADS]
    assert all(titles) and len(set(titles)) == len(titles)


@pytest.mark.parametrize("name", HEADS)
def test_the_yaml_writes_out_every_hyperparameter_at_its_default(name):
    head = built(name)
    assert head.name == name
    written = {key: tuple(v) if isinstance(v, list) else v for key, v in shipped()[name].items() if key != "_target_"}
    declared = {field.name: field.default for field in fields(head) if field.init}
    assert written == declared and MISSING not in declared.values()


@pytest.mark.parametrize("name", HEADS)
def test_the_values_to_choose_from_are_set_by_their_key(name):
    lists = [key for key, value in shipped()[name].items() if isinstance(value, list)]
    assert lists, "a head without a list to choose from has nothing that inner folds could choose"
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        cfg = compose("config", [f"head={name}", *(f"head.{name}.{key}=[7]" for key in lists)])
    settings = build(cfg.head[name], f"head.{name}").settings()
    assert len(settings) == 1 and 7 in {round(sum(settings[0].values()), 6), *settings[0].values()}


@pytest.mark.parametrize(("name", "kind"), SERVED)
def test_a_fitted_head_is_stored_and_predicts_the_same_bits(name, kind, tmp_path):
    rows, values = cohort(60, seed=5)
    how = Preparation((2,))
    pipeline = develop_on(rows, ("age",), table(rows, values), [built(name)], ENDPOINTS[kind], 2, how)
    save_pipeline(pipeline, tmp_path, {})
    again, _ = load_pipeline(tmp_path)
    others, new = cohort(25, seed=9)
    days = np.array([100.0, 300.0])
    pairs = zip(
        *(one.predict(NewRows(others.clinical, new, others.sites), days) for one in (pipeline, again)), strict=True
    )
    for one, two in pairs:
        for part in ("risk", "probabilities", "curves"):
            assert np.array_equal(getattr(one, part), getattr(two, part))
    assert {row.title for row in again.rows} >= {built(name).title}
    assert [row.title for row in again.rows] == [row.title for row in pipeline.rows]


@pytest.mark.parametrize("name", HEADS)
def test_a_head_goes_through_a_study_to_the_report(name, tmp_path):
    write_tables(tmp_path)
    kind = min(built(name).kinds)
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        cfg = compose("config", words(tmp_path, name, kind))
    runs = run_stage(cfg)
    title = built(name).title
    assert f"<td>{title}</td>" in (runs["study"] / "report.html").read_text()
    assert {(line.head, line.title) for line in scores_of(tmp_path)} >= {(name, title)}


RIDGE = """
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from glioma_os.fusion.heads.contract import Model, OneByOne, Prediction, Setting, Task


@dataclass(frozen=True)
class RidgeModel(Model):
    beta: np.ndarray

    def predict(self, inputs, horizons_days):
        return Prediction(-inputs @ self.beta)


@dataclass(frozen=True)
class Ridge(OneByOne):
    name: ClassVar[str] = "ridge"
    title: ClassVar[str] = "ridge on log days"
    kinds: ClassVar[frozenset[str]] = frozenset({"time"})
    l2: tuple[float, ...] = (1.0, 10.0)

    def settings(self):
        return [{"l2": value} for value in self.l2]

    def fit_one(self, task):
        x, y = task.inputs, np.log(task.time) - np.log(task.time).mean()
        return RidgeModel(np.linalg.solve(x.T @ x + task.setting["l2"] * np.eye(x.shape[1]), x.T @ y))
"""


def program(folder, path, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "glioma_os", *arguments], cwd=folder, capture_output=True, text=True, timeout=200,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(path), os.environ.get("PYTHONPATH", "")])},
    )  # fmt: skip


def test_a_head_of_another_package_goes_to_the_report_and_is_stored(tmp_path):
    """One file, one yaml, one entry point; the stored pipeline is read again by stage=apply."""
    site, work = tmp_path / "site", tmp_path / "work"
    for part in (site / "my_package", site / "my_package-1.0.dist-info", site / "conf/head", work):
        part.mkdir(parents=True)
    (site / "my_package/__init__.py").touch()
    (site / "my_package/heads.py").write_text(RIDGE)
    (site / "my_package-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    (site / "my_package-1.0.dist-info/entry_points.txt").write_text(
        "[glioma_os.head]\nridge = my_package.heads:Ridge\n"
    )
    (site / "conf/head/ridge.yaml").write_text("ridge:\n  _target_: my_package.heads.Ridge\n  l2: [1.0, 10.0]\n")
    write_tables(work)
    own = ["--config-dir", str(site / "conf")]
    done = program(work, site, *own, *words(work, "ridge", "time"))
    assert done.returncode == 0, done.stderr[-2000:]
    (report,) = work.glob("runs/study/*/*/report.html")
    assert "<td>ridge on log days</td>" in report.read_text()
    assert ("ridge", "ridge on log days") in {(line.head, line.title) for line in scores_of(work)}
    (pipeline,) = work.glob("runs/survival/*/*/pipeline")
    asked = [word for word in words(work, "cox", "time") if not word.startswith("stage=")]
    done = program(work, site, "stage=apply", f"pipeline={pipeline}", *asked)
    assert done.returncode == 0, done.stderr[-2000:]
    without = program(work, work, "stage=apply", f"pipeline={pipeline}", *asked, "seed=8")
    assert without.returncode == 5 and "my_package.heads.RidgeModel" in without.stderr
