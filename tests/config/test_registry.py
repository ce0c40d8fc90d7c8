"""The registry: nothing that a configuration names is imported or built unless it is listed for its place."""

import importlib
import inspect
import pkgutil
from importlib.metadata import EntryPoint

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

import glioma_os
from glioma_os.config import registry
from glioma_os.config.registry import REGISTRY, check_hydra, check_target, check_targets, load_target, slot_of
from glioma_os.errors import ConfigError
from glioma_os.fusion.heads.cox import Cox
from glioma_os.stages.assemble import run_stage
from tests.contracts.test_conf import build, configuration
from tests.program import run

KEYS = ("stage", "cohort", "other", "pretraining.cohort", "cohorts.a", "data", "network", "transfer", "head.cox",
        "endpoint", "trainer", "features", "logger", "pretraining.schedule.objective",
        "finetuning.schedule.augmentation", "logger.logger",
        "hydra.launcher", "hydra.sweeper", "validation.x", "")  # fmt: skip
DANGEROUS = (
    "os.system", "os.popen", "os.execv", "os.remove", "posix.system", "subprocess.Popen", "subprocess.run",
    "subprocess.check_output", "shutil.rmtree", "shutil.copy", "shutil.move", "pathlib.Path", "pathlib.Path.unlink",
    "builtins.eval", "builtins.exec", "builtins.compile", "builtins.open", "builtins.__import__", "builtins.print",
    "functools.partial", "functools.reduce", "operator.attrgetter", "operator.methodcaller", "importlib.import_module",
    "runpy.run_path", "runpy.run_module", "pickle.loads", "pickle.load", "marshal.loads", "shelve.open",
    "torch.load", "torch.hub.load", "torch.jit.load", "torch.package.PackageImporter", "torch.nn.Linear",
    "torch.nn.modules.module.Module", "torch.optim.SGD", "torch.utils.cpp_extension.load_inline", "numpy.load",
    "numpy.fromfile", "joblib.load", "yaml.unsafe_load", "pandas.read_pickle", "ctypes.CDLL", "socket.socket",
    "http.server.test", "urllib.request.urlopen", "webbrowser.open", "tempfile.mkdtemp", "multiprocessing.Process",
    "threading.Thread", "asyncio.run", "hydra.utils.instantiate", "hydra.utils.get_method", "hydra.utils.call",
    "hydra._internal.utils._locate", "omegaconf.OmegaConf.load", "lightning.pytorch.Trainer", "monai.bundle.run",
    "monai.losses.dice.DiceLoss", "monai.networks.nets.SegResNet", "torchio.transforms.Lambda", "wandb.init",
    "glioma_os.training.processes.start", "glioma_os.training.processes.os.system", "glioma_os.volumes.atomic.os.link",
    "glioma_os.training.processes.subprocess.Popen", "glioma_os.training.fit.shutil.rmtree",
    "glioma_os.networks.weights.torch.load", "glioma_os.networks.weights.pickle.loads",
    "glioma_os.config.registry.importlib.import_module", "glioma_os.stages.sync.subprocess.run",
    "glioma_os.fusion.heads.cox.Cox.__init__.__globals__", "glioma_os.fusion.heads.cox.Cox.__subclasses__",
    "glioma_os.fusion.heads.cox.np.load", "glioma_os.fusion.heads.cox.Cox.mro", "glioma_os.__main__.os.system",
    "glioma_os.volumes.atomic.atomic_write", "glioma_os.__loader__.load_module", "glioma_os.__builtins__.eval",
    "glioma_os.stages.nope.main", "glioma_os.stages.study", "glioma_os", "", ".", "..", "os", "main", "Cox", "cox.Cox",
    " glioma_os.fusion.heads.cox.Cox", "glioma_os.fusion.heads.cox.Cox ", "glioma_os..fusion.heads.cox.Cox",
    "glioma_os.fusion.heads.cox:Cox", "glioma_os/fusion/heads/cox.Cox", "glioma_osx.y", "GLIOMA_OS.fusion.heads.cox.C",
)  # fmt: skip


def walked():
    """Every name that modules of this package hold, their own and what they import, private ones too."""
    found = []
    for module in pkgutil.walk_packages(glioma_os.__path__, "glioma_os."):
        if module.name.rsplit(".", 1)[1].startswith("__"):
            continue
        loaded = importlib.import_module(module.name)
        found += [f"{module.name}.{name}" for name in vars(loaded)]
        inside = {name: value for name, value in vars(loaded).items() if inspect.ismodule(value)}
        found += [
            f"{module.name}.{name}.{inner}"
            for name, value in inside.items()
            for inner in ("system", "Popen", "rmtree", "load", "loads", "run")
            if hasattr(value, inner)
        ]
    return sorted(set(found))


@pytest.fixture
def nothing_imported(monkeypatch):
    """A refused name must not even be imported: importing runs code."""

    def refuse(name, package=None):
        raise AssertionError(f"{name} was imported")

    monkeypatch.setattr(registry.importlib, "import_module", refuse)


@pytest.mark.parametrize("target", DANGEROUS)
def test_a_dangerous_name_is_refused_at_every_key_before_it_is_imported(target, nothing_imported):
    for key in KEYS:
        with pytest.raises(ConfigError, match="expected"):
            load_target(target, key)
        with pytest.raises(ConfigError):
            build(OmegaConf.create({"_target_": target, "command": "touch x"}), key)


def test_of_all_names_that_this_packages_modules_hold_only_registered_ones_are_built(monkeypatch):
    names = walked()
    assert len(names) > 2000 and any(name.endswith("os.system") for name in names)
    monkeypatch.setattr(registry.importlib, "import_module", lambda name, package=None: pytest.fail(name))
    for key in KEYS:
        allowed = set(REGISTRY.get(slot_of(key), ()))
        for name in set(names) - allowed:
            with pytest.raises(ConfigError):
                check_target(name, key)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.text(max_size=60), st.integers(), st.none(), st.lists(st.text(), max_size=2),
                 st.sampled_from(DANGEROUS).map(lambda name: f"glioma_os.fusion.heads.cox.Cox.{name}")))  # fmt: skip
def test_any_other_value_is_refused(value):
    for key in KEYS:
        with pytest.raises(ConfigError):
            load_target(value, key)


def test_a_class_of_one_place_is_refused_at_another():
    listed = {name: slot for slot, names in REGISTRY.items() for name in names}
    for key in KEYS:
        for name, slot in listed.items():
            if slot == slot_of(key):
                check_target(name, key)
            else:
                with pytest.raises(ConfigError):
                    check_target(name, key)


def test_every_registered_name_is_defined_where_it_says():
    keys = {slot_of(key): key for key in KEYS}
    for slot in REGISTRY:
        key = keys[slot]
        for name in REGISTRY[slot]:
            assert callable(load_target(name, key)), name


def test_a_nested_or_misplaced_target_names_its_key():
    with pytest.raises(ConfigError, match=r"pretraining\.schedule\.extra\._target_"):
        check_targets({"pretraining": {"schedule": {"extra": {"_target_": "glioma_os.fusion.heads.cox.Cox"}}}})
    with pytest.raises(ConfigError, match=r"head\.cox\.inner\[0\]\._target_"):
        build(OmegaConf.create({"_target_": REGISTRY["head"][0], "inner": [{"_target_": "os.system"}]}), "head.cox")
    with pytest.raises(ConfigError, match=r"stage\._target_"):
        run_stage(configuration("stage._target_=os.system"))


@pytest.mark.parametrize(
    "words",
    [
        "+hydra.callbacks.x._target_=os.system", "+hydra.job.env_set.LD_PRELOAD=x.so",
        "+hydra.launcher.queue={_target_: os.system, command: ls}", "hydra.launcher._target_=os.system",
        "hydra.sweeper._target_=os.system", "+hydra.sweeper.x.y._target_=os.system",
        "hydra.launcher._target_=hydra_plugins.glioma_os_launcher.time.sleep",
        "+hydra.job_logging.handlers.x={class: logging.FileHandler, filename: x}",
        "+hydra.job_logging.filters.x.'()'=os.system", "+hydra.hydra_logging.formatters.x.class=os.system",
        "+hydra.launcher.queue.slurm_setup=[ls]", "+hydra.launcher.queue.slurm_python=x",
        "+hydra.launcher.queue.slurm_srun_args=[x]", "+hydra.launcher.queue.slurm_additional_parameters={wrap: ls}",
        '+hydra.launcher.queue.slurm_comment="a\nls"', "+hydra.launcher.queue.slurm_comment='$(ls)'",
    ],
)  # fmt: skip
def test_hydras_own_part_starts_nothing_else(words):
    from hydra import compose, initialize_config_dir

    from glioma_os.__main__ import config_folder

    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        try:
            node = compose("config", overrides=[words.replace("'()'", "_target_")], return_hydra_config=True).hydra
        except Exception:
            pytest.skip("not a configuration that Hydra composes")
    with pytest.raises(ConfigError, match=r"hydra\."):
        check_hydra(node)


@pytest.mark.parametrize("words", [[], ["hydra/launcher=slurm"], ["hydra/sweeper=optuna"], ["sweep=transfer_demo"]])
def test_hydras_part_as_shipped_is_allowed(words):
    from hydra import compose, initialize_config_dir

    from glioma_os.__main__ import config_folder

    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        check_hydra(compose("config", overrides=words, return_hydra_config=True).hydra)


class Ridge(Cox):
    name = "ridge"


class NoHead:
    pass


@pytest.fixture(autouse=True)
def entry_points_read_anew():
    registry._added.cache_clear()
    yield
    registry._added.cache_clear()


def add(monkeypatch, value, group="glioma_os.head"):
    entry = EntryPoint("x", value, group)
    monkeypatch.setattr(registry, "entry_points", lambda group: [entry] if group == entry.group else [])


def test_an_installed_package_adds_a_class_by_an_entry_point(monkeypatch):
    add(monkeypatch, f"{__name__}:Ridge")
    assert load_target(f"{__name__}.Ridge", "head.ridge") is Ridge
    assert build(OmegaConf.create({"_target_": f"{__name__}.Ridge"}), "head.ridge").name == "ridge"
    with pytest.raises(ConfigError):
        load_target(f"{__name__}.Ridge", "cohort")
    with pytest.raises(ConfigError):
        load_target(f"{__name__}.NoHead", "head.ridge")


@pytest.mark.parametrize("value", [f"{__name__}:NoHead", f"{__name__}:Cox", f"{__name__}:pytest.fail", "os:system"])
def test_what_it_adds_must_be_of_the_slots_kind_and_its_own(monkeypatch, value):
    add(monkeypatch, value)
    with pytest.raises(ConfigError):
        load_target(value.replace(":", "."), "head.x")
    assert not [slot for slot in ("stage", "trainer", "launcher", "sweeper") if slot in registry.EXTENSIBLE]


def test_the_program_refuses_them_before_hydra_acts(tmp_path):
    log = "+hydra.job_logging.handlers.x={class: logging.FileHandler, filename: made}"
    for word in ("+hydra.callbacks.x._target_=os.system", log, "stage._target_=glioma_os.nope.main"):
        done = run(tmp_path, word, timeout=60)
        assert done.returncode == 2 and "Traceback" not in done.stderr and done.stderr.startswith("\nConfigError")
    assert not list(tmp_path.iterdir())
