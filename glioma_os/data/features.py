"""Feature tables on disk: an .npz that holds no objects beside a .json of where it came from; and CSVs of others."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd

from glioma_os.errors import DataError, IntegrityError
from glioma_os.records import FeatureTable
from glioma_os.volumes.atomic import atomic_write, sha256_file


def write_features(table: FeatureTable, path: Path) -> None:
    """Writes `path` (.npz) and its .json beside it, each whole."""
    buffer = io.BytesIO()
    np.savez(
        buffer, values=table.values.astype(np.float32), case_ids=np.array(table.case_ids, dtype=str),
        names=np.array(table.names, dtype=str), blocks=np.array(table.blocks, dtype=str),
    )  # fmt: skip
    atomic_write(path, buffer.getvalue())
    atomic_write(path.with_suffix(".json"), json.dumps(table.provenance, indent=1).encode())


def read_features(path: Path) -> FeatureTable:
    """Reads what `write_features` wrote; a damaged file is an IntegrityError."""
    try:
        with np.load(path, allow_pickle=False) as file:
            parts = {name: file[name] for name in ("values", "case_ids", "names", "blocks")}
        provenance = json.loads(path.with_suffix(".json").read_text())
    except (OSError, ValueError, KeyError) as fault:
        raise IntegrityError(path, f"unreadable feature table ({fault})", "Delete its run folder and rerun") from fault
    texts = {name: tuple(map(str, parts[name])) for name in ("case_ids", "names", "blocks")}
    return FeatureTable(values=parts["values"], provenance=provenance, **texts)


def read_feature_csv(path: str | Path, id_column: str = "case_id", block: str = "radiomics") -> FeatureTable:
    """A CSV with one row a case: `id_column`, the rest numbers; blanks stay NaN and are imputed inside the folds."""
    path = Path(path)
    if not path.is_file():
        raise DataError(path, "no file found → a feature table expected", "Set features.path")
    frame = pd.read_csv(path, dtype={id_column: str}, keep_default_na=True)
    if id_column not in frame:
        raise DataError(path, f"columns {list(frame)[:6]} found → {id_column!r} expected", "Set features.id_column")
    values = frame.drop(columns=id_column)
    text = [name for name in values if not pd.api.types.is_numeric_dtype(values[name])]
    if text:
        raise DataError(path, f"column {text[0]!r} holds text found → numbers expected", "Remove or encode the column")
    if frame[id_column].duplicated().any():
        twice = frame[id_column][frame[id_column].duplicated()].iloc[0]
        raise DataError(path, f"id {twice!r} found twice → one row a case expected", "Remove the duplicate")
    return FeatureTable(
        case_ids=tuple(frame[id_column]), names=tuple(values), blocks=(block,) * values.shape[1],
        values=values.to_numpy(np.float32), provenance={"source_sha256": sha256_file(path)},
    )  # fmt: skip
