"""Prepared cases on disk: one safetensors file each, named by its inputs, memory-mapped, written atomically."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from glioma_os.errors import IntegrityError
from glioma_os.records import Array, Case, Modality, Volume
from glioma_os.volumes import manifest
from glioma_os.volumes.atomic import atomic_write, sha256_file, sha256_json
from glioma_os.volumes.prepare import Prepared, Recipe, prepare_case
from glioma_os.volumes.window import IDENTITY_VIEW, WindowView, region_masks, z_scores

SUFFIX = ".safetensors"
REMEDY = "Delete {path} and the .json beside it, and run stage=prepare again"
DTYPES = {"I16": np.int16, "U8": np.uint8}


def _sources(case: Case, recipe: Recipe) -> list[Path]:
    files = [case.images[Modality(m)] for m in recipe.modalities if Modality(m) in case.images]
    return files + ([case.label] if case.label is not None and recipe.label_coding is not None else [])


@dataclass(frozen=True)
class StoredVolume:
    """A prepared case whose voxels stay on disk until a window of them is read."""

    key: str
    case_id: str
    modalities: tuple[str, ...]
    voxels: Array
    region_bits: Array | None
    mean: Array
    inverse_sd: Array
    affine: Array
    native_affine: Array
    native_shape: tuple[int, int, int]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(D, H, W) of the brain box."""
        return self.voxels.shape[1:]

    def channels(self, modalities: tuple[str, ...]) -> list[int]:
        """Where these modalities lie in the file."""
        return [self.modalities.index(name) for name in modalities]

    def window(
        self, corner: tuple[int, ...], size: tuple[int, ...], modalities: tuple[str, ...],
        view: WindowView = IDENTITY_VIEW, out: Array | None = None,
    ) -> Array:  # fmt: skip
        """z-scores (C, *size) float32 of the window at `corner`; what lies outside the brain box is background, 0.

        With a `view`: mirrored along its axes, and gain · z + offset, background (offset) included. `out`: where to.
        """
        out = np.empty((len(modalities), *size), np.float32) if out is None else out
        z_scores(self.voxels, self.channels(modalities), self.mean, self.inverse_sd, corner, view, out)
        return out

    def regions(
        self, corner: tuple[int, ...], size: tuple[int, ...], view: WindowView = IDENTITY_VIEW, out: Array | None = None
    ) -> Array:
        """(3, *size) uint8 of TC, WT, ET in the window, mirrored as `view` says; background outside the box."""
        if self.region_bits is None:
            raise IntegrityError(f"case {self.case_id}", "no mask stored → a case with a mask expected", "Add its mask")
        out = np.empty((3, *size), np.uint8) if out is None else out
        region_masks(self.region_bits, corner, view, out)
        return out

    def volume(self, modalities: tuple[str, ...]) -> Volume:
        """The whole brain box in memory."""
        origin = (0, 0, 0)
        regions = None if self.region_bits is None else self.regions(origin, self.shape).astype(bool)
        return Volume(self.case_id, self.window(origin, self.shape, modalities), regions, self.affine, self.key)


class VolumeStore:
    """Prepared cases under one root. Many processes may prepare and read at once: equal inputs give equal files."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    def path(self, key: str) -> Path:
        """Where the entry of this key lies."""
        return self.root / key[:2] / f"{key}{SUFFIX}"

    def _manifest(self, key: str) -> Path:
        return self.path(key).with_suffix(".json")

    def sha256(self, path: Path) -> str:
        """Hex sha256 of a source file's bytes, read again only where its size or time changed."""
        status = path.stat()
        memo = self.root / "sums" / sha256_json([str(path.resolve()), status.st_size, status.st_mtime_ns])
        if memo.exists() and len(found := memo.read_text()) == 64:
            return found
        found = sha256_file(path)
        atomic_write(memo, found.encode())
        return found

    def _note(self, case: Case, recipe: Recipe) -> Path:
        """Remembers the key of files of this name, size and time, so that a rerun need not read them."""
        stamps = [[str(f.resolve()), f.stat().st_size, f.stat().st_mtime_ns] for f in _sources(case, recipe)]
        return self.root / "index" / sha256_json([recipe.key(), case.case_id, stamps])

    def holds(self, case: Case, recipe: Recipe) -> bool:
        """Whether the case, as its files are now, is prepared."""
        note = self._note(case, recipe)
        return note.exists() and self._manifest(note.read_text()).exists()

    def prepare(self, case: Case, recipe: Recipe) -> str:
        """The key of the prepared case, prepared now if it is not there. A changed source gives another key."""
        files = _sources(case, recipe)
        note = self._note(case, recipe)
        if self.holds(case, recipe):
            return note.read_text()
        sources = [sha256_file(f) for f in files]
        key = sha256_json([recipe.key(), case.case_id, sources])
        if not self._manifest(key).exists():
            self._write(key, case, recipe, prepare_case(case, recipe))
        if [sha256_file(f) for f in files] != sources:
            for path in (self._manifest(key), self.path(key)):
                path.unlink(missing_ok=True)
            raise IntegrityError(f"case {case.case_id}", "its files changed while they were read", "Run again")
        atomic_write(note, key.encode())
        return key

    def _write(self, key: str, case: Case, recipe: Recipe, prepared: Prepared) -> None:
        tensors = {"voxels": prepared.voxels}
        if prepared.region_bits is not None:
            tensors["region_bits"] = prepared.region_bits
        header = {
            "case_id": case.case_id, "modalities": list(recipe.modalities), "mean": prepared.mean.tolist(),
            "inverse_sd": prepared.inverse_sd.tolist(), "affine": prepared.affine.tolist(),
            "native_affine": prepared.native_affine.tolist(), "native_shape": list(prepared.native_shape),
        }  # fmt: skip
        path = self.path(key)
        atomic_write(path, save(tensors, metadata={"case": json.dumps(header)}))
        content = {manifest.FILES: manifest.entries(path.parent, [path.name])}
        atomic_write(self._manifest(key), manifest.seal(content))

    def open(self, key: str, whole: bool = False) -> StoredVolume:
        """Maps the entry of this key; one that is missing, or changed since it was written, is an IntegrityError.

        Size and time are compared; every byte where they differ, or if `whole`."""
        path = self.path(key)
        content = manifest.read(self._manifest(key)) or {}
        manifest.check(path.parent, content.get(manifest.FILES), whole, remedy=REMEDY.format(path=path))
        try:
            size = path.stat().st_size
            with path.open("rb") as file:
                length = int.from_bytes(file.read(8), "little")
                header = json.loads(file.read(length)) if length < size else {}
            case = json.loads(header["__metadata__"]["case"])
            start = 8 + length
            end = max(spec["data_offsets"][1] for name, spec in header.items() if name != "__metadata__")
            if start + end != size:
                raise ValueError(f"{size} bytes found → {start + end} expected")
            arrays = {  # mapped "c": torch warns of arrays that are read only; the file stays as it is all the same
                name: np.asarray(
                    np.memmap(path, DTYPES[spec["dtype"]], "c", start + spec["data_offsets"][0], tuple(spec["shape"]))
                )
                for name, spec in header.items()
                if name != "__metadata__"
            }
        except (OSError, ValueError, KeyError) as fault:
            raise IntegrityError(
                path, f"damaged or incomplete entry of the store ({fault})", REMEDY.format(path=path)
            ) from fault
        return StoredVolume(
            key=key, case_id=case["case_id"], modalities=tuple(case["modalities"]), voxels=arrays["voxels"],
            region_bits=arrays.get("region_bits"), mean=np.array(case["mean"]),
            inverse_sd=np.array(case["inverse_sd"]), affine=np.array(case["affine"]),
            native_affine=np.array(case["native_affine"]), native_shape=tuple(case["native_shape"]),
        )  # fmt: skip
