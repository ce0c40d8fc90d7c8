"""A step's version is decided on whenever the modules that it guards change.

If a change of those modules alters what a run of the step holds, raise its `version`: such runs are then made anew.
If it does not, keep it. Either way write down what was decided:

    python -m tests.contracts.test_versions
"""

import ast
import hashlib
import importlib
import json
import pkgutil
from pathlib import Path

import glioma_os.pipeline
from glioma_os.pipeline.step import Step

ROOT = Path(__file__).resolve().parents[2]
DECIDED = Path(__file__).with_name("versions.json")


def steps():
    """Every step of the package that makes runs."""
    for module in pkgutil.walk_packages(glioma_os.pipeline.__path__, "glioma_os.pipeline."):
        importlib.import_module(module.name)
    found, waiting = [], [Step]
    while waiting:
        kinds = waiting.pop().__subclasses__()
        waiting += kinds
        found += [kind for kind in kinds if "stage" in vars(kind) and kind.__module__.startswith("glioma_os.")]
    return sorted(found, key=lambda kind: kind.__name__)


def meaning(path):
    """The file's syntax without comments, layout and docstrings."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and body:
            first = body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = body[1:]
    return ast.dump(tree)


def digest_of(step):
    total = hashlib.sha256()
    for name in step.guards:
        place = ROOT / name.replace(".", "/")
        files = sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
        for file in files:
            total.update(meaning(file).encode())
    return total.hexdigest()[:16]


def now():
    return {step.__name__: [step.version, digest_of(step)] for step in steps() if step.guards}


def test_somebody_decided_on_the_versions_of_the_code_as_it_is():
    decided = json.loads(DECIDED.read_text())
    changed = {name: own for name, own in now().items() if decided.get(name) != own}
    assert not changed, f"{changed}: {__doc__}"


def test_a_change_of_meaning_is_seen_and_one_of_words_is_not(tmp_path):
    path = tmp_path / "x.py"
    path.write_text('"""Old."""\n\ndef f(x):\n    """Old."""\n    return x + 1\n')
    before = meaning(path)
    path.write_text('"""New."""\n\n# new\ndef f(x):\n    """New."""\n    return (x + 1)\n')
    assert meaning(path) == before
    path.write_text('"""New."""\n\ndef f(x):\n    return x + 2\n')
    assert meaning(path) != before


if __name__ == "__main__":
    DECIDED.write_text(json.dumps(now(), indent=1) + "\n")
