"""Imports go one way."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "glioma_os"
LAYERS = [
    {"errors", "records", "seeds", "fast", "__init__"},
    {"config"},
    {"volumes", "survival", "networks"},
    {"cohorts"},
    {"data", "fusion", "modules"},
    {"training", "reporting"},
    {"sweeps"},
    {"pipeline"},
    {"stages"},
    {"__main__"},
]
LEVEL = {name: level for level, layer in enumerate(LAYERS) for name in layer}
FILES = sorted(PACKAGE.rglob("*.py"))


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def part(path):
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def test_every_part_has_a_layer():
    assert len(FILES) > 40
    assert {part(path) for path in FILES} <= set(LEVEL)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_down(path):
    own = LEVEL[part(path)]
    for module in imported(path):
        if module.startswith("glioma_os."):
            other = module.split(".")[1]
            assert LEVEL[other] <= own, f"{path.name} imports {module}"


def test_no_file_needs_itself_in_a_circle():
    """Imports inside functions count too."""
    names = {".".join(["glioma_os", *path.relative_to(PACKAGE).with_suffix("").parts]): path for path in FILES}
    needs = {}
    for name, path in names.items():
        nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
        inner = {f"{node.module}.{alias.name}" for node in nodes for alias in node.names}
        needs[name] = ({*imported(path)} | inner) & set(names) - {name}
    assert sum(map(len, needs.values())) > 300
    TopologicalSorter(needs).prepare()


ONLY_IN = {
    "hydra": {"__main__", "config", "sweeps", "stages"},
    "omegaconf": {"__main__", "config", "sweeps", "stages"},
    "wandb": {"training"},
    "lightning": {"data", "modules", "training", "fusion"},
    "torchio": {"data"},
}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_frameworks_stay_where_they_belong(path):
    for module in imported(path):
        places = ONLY_IN.get(module.split(".")[0])
        assert places is None or part(path) in places, f"{path.name} imports {module}"
    forbidden = {"sksurv", "ecos", "statsmodels", "torchvision"}
    assert not {module.split(".")[0] for module in imported(path)} & forbidden


def test_survival_is_maths_only():
    for path in (PACKAGE / "survival").glob("*.py"):
        for module in imported(path):
            assert not module.startswith(("torch", "glioma_os.networks", "glioma_os.volumes")), f"{path}: {module}"


def test_nothing_that_runs_foreign_code():
    bad = (
        "weights_only=False",
        "allow_pickle=True",
        "pickle.load",
        "shell=True",
        "torch.hub",
        "extractall",
        "yaml.load(",
    )
    for path in FILES:
        text = path.read_text()
        assert not [word for word in bad if word in text], path


def test_what_trains_nothing_starts_without_lightning():
    """Jobs of a sweep whose segmenters are done start in a third of the time."""
    code = (
        "import sys\n"
        "from glioma_os.stages import job, latents, study, survival\n"
        "print(*({'lightning', 'monai', 'torchio', 'wandb', 'matplotlib.pyplot'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
