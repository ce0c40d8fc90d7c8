"""Weights in and out of files: safetensors and plain state dicts only, strictly matched, never code."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from safetensors.torch import save
from torch import Tensor, nn

from glioma_os.errors import ConfigError, DataError, IntegrityError
from glioma_os.networks.contracts import SegmentationNetwork


def checked_md5(path: str | Path, md5: str | None = None) -> str:
    """Hex md5 of a weights file, as model zoos publish it. No file is a ConfigError, one that does not begin with
    `md5` an IntegrityError."""
    path = Path(path)
    if not path.is_file():
        raise ConfigError(path, "no file found → weights expected", "Fetch the file yourself; nothing is downloaded")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "md5").hexdigest()
    if md5 is not None and not found.startswith(md5.lower()):
        raise IntegrityError(path, f"md5 {found} found → {md5} expected", "Fetch the file again")
    return found


def read_state_dict(path: str | Path, md5: str | None = None) -> dict[str, Tensor]:
    """The tensors of a .safetensors or .pt file, checked against `md5` (whole or its beginning) if one is given."""
    path = Path(path)
    checked_md5(path, md5)
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


def find_aliases(network: nn.Module) -> dict[str, str]:
    """State-dict name → the first name of the same tensor, for every further name that a network gives to a tensor.

    safetensors files hold a tensor once, so files of this package hold first names only.
    """
    first: dict[tuple[int, tuple[int, ...], torch.dtype], str] = {}
    aliases = {}
    for name, tensor in network.state_dict().items():
        if tensor.numel():
            key = (tensor.data_ptr(), tuple(tensor.shape), tensor.dtype)
            if first.setdefault(key, name) != name:
                aliases[name] = first[key]
    return aliases


def serialize_weights(network: nn.Module) -> bytes:
    """The safetensors file of a network's weights, each tensor under its first name, as `load_strict` takes it."""
    aliases = find_aliases(network)
    state = network.state_dict()
    return save({name: x.detach().cpu().contiguous() for name, x in state.items() if name not in aliases})


def adapt_channels(
    state: dict[str, Tensor], keys: Sequence[str], source: tuple[str, ...], target: tuple[str, ...]
) -> dict[str, Tensor]:
    """The state dict for another channel set: the input convolutions `keys` keep the slices of the channels that stay
    and are scaled by (source count / target count), so that their output keeps its size."""
    if source == target:
        return state
    unknown = [name for name in target if name not in source]
    if unknown:
        raise ConfigError(
            "channels", f"{unknown} found → channels of the weights {list(source)} expected",
            "Pre-train with these channels or choose a subset",
        )  # fmt: skip
    keep = [source.index(name) for name in target]
    return state | {key: state[key][:, keep] * (len(source) / len(target)) for key in keys if key in state}


def load_strict(network: nn.Module, state: dict[str, Tensor], where: object) -> int:
    """Loads every tensor or none; returns how many. A key or shape that does not fit is an IntegrityError.

    Further names of one tensor may be there or not.
    """
    own, aliases = network.state_dict(), find_aliases(network)
    state = _drop_aliases(state, aliases)
    missing, extra = sorted(own.keys() - state.keys() - aliases.keys()), sorted(state.keys() - own.keys())
    shapes = [
        f"{name} {tuple(state[name].shape)} → {tuple(own[name].shape)}"
        for name in own.keys() & state.keys()
        if own[name].shape != state[name].shape
    ]
    count = len(own) - len(aliases)
    if missing or extra or shapes:
        raise IntegrityError(
            where,
            f"{len(missing)} keys missing (first {missing[:1]}), {len(extra)} unknown (first {extra[:1]}), "
            f"{len(shapes)} of another shape (first {shapes[:1]}) found → the {count} keys of the network expected",
            "Choose the network the weights were made with; channels and the network's sizes decide the shapes",
        )
    network.load_state_dict({**state, **{name: state[first] for name, first in aliases.items()}}, strict=True)
    return count


def _drop_aliases(state: dict[str, Tensor], aliases: dict[str, str]) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in state.items() if aliases.get(name) not in state}


def load_weights(
    network: SegmentationNetwork,
    path: str | Path,
    source: tuple[str, ...],
    target: tuple[str, ...],
    md5: str | None = None,
) -> int:
    """Loads a weights file made for the channels `source` into a network for `target`."""
    assert isinstance(network, nn.Module)
    state = _drop_aliases(read_state_dict(path, md5), find_aliases(network))
    return load_strict(network, adapt_channels(state, network.input_convolutions(), tuple(source), tuple(target)), path)
