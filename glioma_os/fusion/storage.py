"""A fitted pipeline on disk: arrays in one safetensors file, everything else in JSON. Nothing is pickled."""

from __future__ import annotations

import hashlib
import importlib
import json
import pkgutil
from dataclasses import fields, is_dataclass
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from glioma_os import NOTICE, __version__
from glioma_os.errors import IntegrityError
from glioma_os.fusion import heads, pipeline, plan
from glioma_os.fusion.harmonization import Combat
from glioma_os.fusion.heads.contract import Model
from glioma_os.fusion.preprocessing import FoldPreprocessor, RankGaussian, Standard
from glioma_os.fusion.trees import Trees
from glioma_os.survival.curves import Baseline, CurveCalibration, KaplanMeier
from glioma_os.survival.endpoints import Endpoint
from glioma_os.survival.parametric import DiscreteHazard, Weibull
from glioma_os.volumes.atomic import PRIVATE, atomic_write, sha256_json

ARRAYS, STRUCTURE = "pipeline.safetensors", "pipeline.json"
HEADS = "glioma_os.head"  # entry points of installed packages
FORMAT = 2  # raise when older files can no longer be read
PARTS: tuple[type, ...] = (
    pipeline.Pipeline, pipeline.HeadRow, pipeline.AgeRow, pipeline.SelectedRow, pipeline.EnsembleRow,
    pipeline.MajorityRow, pipeline.Inputs, plan.Block, plan.Candidate, FoldPreprocessor, Standard, RankGaussian, Combat,
    Trees, Baseline, CurveCalibration, KaplanMeier, Endpoint, DiscreteHazard, Weibull,
)  # fmt: skip

# Names of classes in files of earlier releases.
FORMER_NAMES: dict[str, type] = {"NormalScores": RankGaussian}


@cache
def _classes() -> dict[str, type]:
    """The only classes that a file may name: the parts of a pipeline and the models of this package's heads."""
    for module in pkgutil.iter_modules(heads.__path__):
        importlib.import_module(f"{heads.__name__}.{module.name}")
    found, waiting = list(PARTS), [Model]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        found += [kind] if is_dataclass(kind) and kind.__module__.startswith(f"{heads.__name__}.") else []
    return {kind.__name__: kind for kind in found} | FORMER_NAMES


def _added_class(name: str) -> type | None:
    """A model of an installed package's head, named `module.Class`: it must stand in a module that an entry point of
    the group `glioma_os.head` names, and nothing else is imported."""
    module, _, attribute = name.rpartition(".")
    if module not in {entry.module for entry in entry_points(group=HEADS)}:
        return None
    found = getattr(importlib.import_module(module), attribute, None)
    if not (isinstance(found, type) and issubclass(found, Model) and is_dataclass(found)):
        return None
    return found if found.__module__ == module else None


def _stored_name(kind: type) -> str | None:
    """What a file calls that class; None for one that cannot be stored."""
    if _classes().get(kind.__name__) is kind:
        return kind.__name__
    name = f"{kind.__module__}.{kind.__qualname__}"
    return name if issubclass(kind, Model) and _added_class(name) is kind else None


def save_pipeline(fitted: pipeline.Pipeline, folder: Path, provenance: dict[str, Any]) -> None:
    """Writes both files, for their owner alone: scalings and forests hold values and survival times of training
    patients, without ids. `provenance` (plain values) is kept as given: cohort, feature source, segmenter."""
    arrays: dict[str, np.ndarray] = {}
    structure = _plain(fitted, arrays, {})
    content = save(arrays)
    document = {
        "notice": NOTICE, "format": FORMAT, "glioma_os": __version__, "sha256": hashlib.sha256(content).hexdigest(),
        "provenance": provenance, "pipeline": structure,
    }  # fmt: skip
    document["own_sha256"] = _digest(document)
    for name, data in ((ARRAYS, content), (STRUCTURE, json.dumps(document, indent=1).encode())):
        atomic_write(folder / name, data, PRIVATE)


def load_pipeline(folder: str | Path) -> tuple[pipeline.Pipeline, dict[str, Any]]:
    """The pipeline and its provenance. A damaged or foreign file is an IntegrityError."""
    folder = Path(folder)
    try:
        document = json.loads((folder / STRUCTURE).read_text())
        content = (folder / ARRAYS).read_bytes()
        if document["format"] != FORMAT:
            raise IntegrityError(
                folder / STRUCTURE, f"format {document['format']} found → {FORMAT} expected", "Fit the pipeline again"
            )
        if _digest(document) != document["own_sha256"]:
            raise IntegrityError(folder / STRUCTURE, "changed since it was written", "Restore both files")
        if hashlib.sha256(content).hexdigest() != document["sha256"]:
            raise IntegrityError(folder / ARRAYS, "its sha256 differs from the one recorded", "Restore both files")
        return _object(document["pipeline"], load(content), {}), document["provenance"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as fault:
        raise IntegrityError(
            folder,
            f"no readable pipeline found ({type(fault).__name__}: {fault})",
            f"Name a folder that holds {STRUCTURE} and {ARRAYS}, as stage=validate writes",
        ) from fault


def _digest(document: dict[str, Any]) -> str:
    """sha256 of everything else that the JSON file says."""
    others = {name: value for name, value in document.items() if name != "own_sha256"}
    return sha256_json(others)


def _plain(value: Any, arrays: dict[str, np.ndarray], seen: dict[int, int]) -> Any:
    """JSON of a value; arrays go into `arrays`, and an object that stands in several places is written once."""
    if value is None or isinstance(value, bool | int | float | str):
        return value if not isinstance(value, float) or np.isfinite(value) else {"float": str(value)}
    if isinstance(value, np.generic):
        return _plain(value.item(), arrays, seen)
    if isinstance(value, np.ndarray):
        name = f"a{len(arrays)}"
        arrays[name] = np.ascontiguousarray(value)
        return {"array": name}
    if isinstance(value, dict):
        return {"dict": [[_plain(k, arrays, seen), _plain(v, arrays, seen)] for k, v in value.items()]}
    name_of_class = _stored_name(type(value))
    if name_of_class is not None:
        if id(value) in seen:
            return {"same": seen[id(value)]}
        number = seen[id(value)] = len(seen)
        parts = {name: _plain(part, arrays, seen) for name, part in _state(value).items()}
        return {"class": name_of_class, "number": number, "state": parts}
    if isinstance(value, tuple | list):
        return {type(value).__name__: [_plain(item, arrays, seen) for item in value]}
    raise TypeError(
        f"{type(value).__module__}.{type(value).__qualname__} cannot be stored: a model is a frozen dataclass of "
        "arrays, numbers and text, in the module that its head's entry point names"
    )


def _state(value: Any) -> dict[str, Any]:
    if hasattr(value, "_asdict"):
        return value._asdict()
    if is_dataclass(value):
        return {part.name: getattr(value, part.name) for part in fields(value) if part.init}
    return vars(value)


def _object(node: Any, arrays: dict[str, np.ndarray], made: dict[int, Any]) -> Any:
    """The inverse of `_plain`."""
    if not isinstance(node, dict):
        return node
    if "array" in node:
        return arrays[node["array"]]
    if "float" in node:
        return float(node["float"])
    if "dict" in node:
        return {_object(k, arrays, made): _object(v, arrays, made) for k, v in node["dict"]}
    if "tuple" in node or "list" in node:
        items = [_object(item, arrays, made) for item in node.get("tuple") or node.get("list") or ()]
        return tuple(items) if "tuple" in node else items
    if "same" in node:
        return made[node["same"]]
    kind = _classes().get(node["class"]) or _added_class(node["class"])
    if kind is None:
        raise KeyError(f"class {node['class']} is not of this package, nor of an installed one's heads")
    state = {name: _object(part, arrays, made) for name, part in node["state"].items()}
    if is_dataclass(kind) or hasattr(kind, "_fields"):
        made[node["number"]] = kind(**state)
    else:
        made[node["number"]] = object.__new__(kind)
        vars(made[node["number"]]).update(state)
    return made[node["number"]]
