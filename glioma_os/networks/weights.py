"""Weights in and out of files: safetensors and plain state dicts only, strictly matched, never code."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import Tensor, nn

from glioma_os.errors import ConfigError, DataError, IntegrityError
from glioma_os.networks.contracts import SegmentationNetwork


def md5_of(path: Path) -> str:
    """Hex md5 of a file: what model zoos publish beside their weights."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def read_state_dict(path: str | Path, md5: str | None = None) -> dict[str, Tensor]:
    """The tensors of a .safetensors or .pt file, checked against `md5` (whole or its beginning) if one is given."""
    path = Path(path)
    if not path.is_file():
        raise ConfigError(path, "no file found → weights expected", "Fetch the file yourself; nothing is downloaded")
    if md5 is not None and not md5_of(path).startswith(md5.lower()):
        raise IntegrityError(path, f"md5 {md5_of(path)} found → {md5} expected", "Fetch the file again")
    try:
        if path.suffix == ".safetensors":
            return load_safetensors(path.read_bytes())
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, OSError, EOFError, ValueError, SafetensorError, pickle.UnpicklingError) as fault:
        raise IntegrityError(
            path, f"not a readable state dict ({str(fault).splitlines()[0][:120]})",
            "Give a safetensors file or a plain state dict; files that carry code are refused",
        ) from fault  # fmt: skip
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise DataError(path, "something else than a plain state dict found", "Save network.state_dict() alone")
    return state


def adapt_channels(
    state: dict[str, Tensor], key: str, source: tuple[str, ...], target: tuple[str, ...]
) -> dict[str, Tensor]:
    """The state dict for another channel set: the input convolution keeps the slices of the channels that stay and is
    scaled by (source count / target count), so that its output keeps its size."""
    if source == target:
        return state
    unknown = [name for name in target if name not in source]
    if unknown:
        raise ConfigError(
            "channels", f"{unknown} found → channels of the weights {list(source)} expected",
            "Pre-train with these channels or choose a subset",
        )  # fmt: skip
    keep = [source.index(name) for name in target]
    return {**state, key: state[key][:, keep] * (len(source) / len(target))}


def load_strict(network: nn.Module, state: dict[str, Tensor], where: object) -> int:
    """Loads every tensor or none; returns how many. A key or shape that does not fit is an IntegrityError."""
    own = network.state_dict()
    missing, extra = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
    shapes = [
        f"{name} {tuple(state[name].shape)} → {tuple(own[name].shape)}"
        for name in own.keys() & state.keys()
        if own[name].shape != state[name].shape
    ]
    if missing or extra or shapes:
        raise IntegrityError(
            where,
            f"{len(missing)} keys missing (first {missing[:1]}), {len(extra)} unknown (first {extra[:1]}), "
            f"{len(shapes)} of another shape (first {shapes[:1]}) found → the {len(own)} keys of the network expected",
            "Choose the network the weights were made with; channels and init_filters decide the shapes",
        )
    network.load_state_dict(state, strict=True)
    return len(own)


def load_weights(
    network: SegmentationNetwork,
    path: str | Path,
    source: tuple[str, ...],
    target: tuple[str, ...],
    md5: str | None = None,
) -> int:
    """Loads a weights file made for the channels `source` into a network for `target`."""
    assert isinstance(network, nn.Module)
    state = adapt_channels(read_state_dict(path, md5), network.input_convolution(), tuple(source), tuple(target))
    return load_strict(network, state, path)
