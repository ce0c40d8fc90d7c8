"""What wandb wrote offline, read back: LevelDB log frames that hold protobuf records."""

import json
import struct
from collections import defaultdict
from pathlib import Path

from wandb.proto import wandb_internal_pb2

BLOCK, HEADER = 32768, struct.Struct("<IHB")
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4


def frames(blob):
    assert blob[:4] == b":W&B"
    place, parts = 7, b""
    while place + HEADER.size <= len(blob):
        left = BLOCK - place % BLOCK
        if left < HEADER.size:
            place += left
            continue
        _, length, kind = HEADER.unpack_from(blob, place)
        body = blob[place + HEADER.size : place + HEADER.size + length]
        place += HEADER.size + length
        if kind == 0:
            return
        parts = body if kind in (FULL, FIRST) else parts + body
        if kind in (FULL, LAST):
            yield parts


def named(items):
    return {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in items}


def read_runs(root):
    """Run id → {group, job_type, name, config, history, summary, artefacts, files}, merged over its folders."""
    runs = defaultdict(lambda: {"config": {}, "history": [], "summary": {}, "artefacts": [], "files": []})
    for folder in sorted(Path(root).rglob("offline-run-*")):
        (path,) = folder.glob("run-*.wandb")
        own = runs[folder.name.rsplit("-", 1)[1]]
        for frame in frames(path.read_bytes()):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(frame)
            kind = record.WhichOneof("record_type")
            if kind == "run":
                run = record.run
                own |= {"group": run.run_group, "job_type": run.job_type, "name": run.display_name}
                own["config"] |= named(run.config.update)
            elif kind == "config":
                own["config"] |= named(record.config.update)
            elif kind == "history":
                own["history"].append(named(record.history.item))
            elif kind == "summary":
                own["summary"] |= named(record.summary.update)
            elif kind == "artifact":
                made = record.artifact
                own["artefacts"].append(
                    {"type": made.type, "name": made.name, "metadata": json.loads(made.metadata or "{}"),
                     "files": [entry.path for entry in made.manifest.contents]}
                )  # fmt: skip
        own["files"] += [file for file in (folder / "files").rglob("*") if file.is_file()]
    return dict(runs)


def tables(run, key):
    """The rows of a logged table, from its file."""
    found = [file for file in run["files"] if file.name.endswith(".table.json") and file.name.startswith(f"{key}_")]
    return [json.loads(file.read_text()) for file in found]
