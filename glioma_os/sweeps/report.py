"""A sweep → one page: what each factor does, the combinations ranked, and every job with its runs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from glioma_os import NOTICE, __version__
from glioma_os.reporting import figures
from glioma_os.reporting.report import METRIC_NAMES, page
from glioma_os.reporting.result_files import csv_bytes
from glioma_os.reporting.tables import bracket
from glioma_os.sweeps.collect import JobLine, swept
from glioma_os.sweeps.compare import Cell, Effect

NAMES = METRIC_NAMES | {f"dice_{region}": f"Dice {region.upper()}" for region in ("tc", "wt", "et")}
SHOWN = 20  # combinations in a figure
FEW = 20  # patients, below which a bootstrap is not to be relied on


def cell_table(cells: Sequence[Cell]) -> bytes:
    """CSV: a column a factor, then the numbers."""
    factors = list(dict.fromkeys(name for cell in cells for name, _ in cell.factors))
    numbers = [name for name in Cell.__dataclass_fields__ if name != "factors"]
    rows = [
        [*(dict(cell.factors).get(name, "") for name in factors), *(_number(getattr(cell, name)) for name in numbers)]
        for cell in cells
    ]
    return csv_bytes([*factors, *numbers], rows)


def effect_table(effects: Sequence[Effect]) -> bytes:
    """CSV: one line an effect."""
    return csv_bytes(list(Effect.__dataclass_fields__), [[_number(v) for v in asdict(e).values()] for e in effects])


def _number(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else value


def sweep_page(
    title: str, jobs: Sequence[JobLine], cells: Sequence[Cell], effects: Sequence[Effect], folder: Path, created: str
) -> str:
    """The HTML; links are relative to `folder`, where it will stand."""
    done = sum(job.status == "done" for job in jobs)
    names = swept(jobs)
    factors = [f"{name} ({len({job.overrides.get(name) for job in jobs})})" for name in names]
    lead = f"{len(jobs)} jobs over {' × '.join(factors) or 'one configuration'}; {done} done"
    failed = [job.number for job in jobs if job.status != "done"]
    metrics = list(dict.fromkeys(cell.metric for cell in cells))
    values = {
        "title": title, "lead": lead + (f", failed: {failed}" if failed else ""), "notice": NOTICE,
        "version": __version__, "created": created,
        "pages": [_metric_page(m, [c for c in cells if c.metric == m], [e for e in effects if e.metric == m])
                  for m in metrics],
        "jobs": [_job_row(job, names, folder) for job in jobs],
        "jobs_text": "Every job ran in its own process. Failed jobs are excluded from the tables above.",
    }  # fmt: skip
    return page("sweep.html.j2", values)


def _words(cell: Cell) -> str:
    return ", ".join(level if name == "setting" else f"{name}={level}" for name, level in cell.factors) or "all"


def _metric_page(metric: str, cells: Sequence[Cell], effects: Sequence[Effect]) -> dict[str, Any]:
    factors = list(dict.fromkeys(name for cell in cells for name, _ in cell.factors))
    name, best = NAMES[metric], cells[0]
    ranking = (
        f"{len(cells)} configurations; the highest, {best.value:.3f}, was selected after the fact and is "
        "optimistically biased, more so the more there are. Mean over seeds, "
        "95 % CI over patients, without refitting the models."
    )
    shown = cells[:SHOWN]
    return {
        "metric": metric, "name": name, "factors": factors, "ranking": ranking,
        "subtitle": f"{best.n} patients per configuration, {max(cell.seeds for cell in cells)} seed(s)",
        "aged": any(not np.isnan(cell.delta_to_age) for cell in cells),
        "few": f"{best.n} patients: with fewer than {FEW} bootstrap intervals are too narrow and p values too small."
        if best.n < FEW else "",
        "effects": [_effect_row(effect) for effect in effects],
        "effect_figure": figures.forest(
            [(f"{e.factor}: {e.level} − {e.reference}", e.value, e.low, e.high, e.p_holm < 0.05) for e in effects],
            f"Effects on {name}", f"difference in {name}", 0.0,
        ) if effects else "",
        "cells": [_cell_row(cell, factors) for cell in cells],
        "cell_figure": figures.forest(
            [(_words(cell), cell.value, cell.low, cell.high, place == 0) for place, cell in enumerate(shown)],
            name + (f", the first {SHOWN}" if len(cells) > SHOWN else ""), name,
            0.5 if metric in ("auc", "c_index") else float(np.median([cell.value for cell in cells])),
        ),
    }  # fmt: skip


def _effect_row(effect: Effect) -> dict[str, Any]:
    return {
        "factor": effect.factor, "level": effect.level, "reference": effect.reference, "pairs": effect.pairs,
        "difference": f"{effect.value:+.3f}", "interval": f"[{effect.low:+.3f}, {effect.high:+.3f}]",
        "p": f"{effect.p:.3f}", "p_holm": f"{effect.p_holm:.3f}", "certain": effect.p_holm < 0.05,
    }  # fmt: skip


def _cell_row(cell: Cell, factors: Sequence[str]) -> dict[str, Any]:
    spread = f", sd {cell.seed_sd:.3f}" if cell.seeds > 1 else ""
    compared = not np.isnan(cell.delta_to_age)
    return {
        "levels": [dict(cell.factors).get(name, "") for name in factors], "value": f"{cell.value:.3f}",
        "interval": bracket(cell.low, cell.high), "seeds": f"{cell.seeds}{spread}", "n": cell.n,
        "delta": f"{cell.delta_to_age:+.3f} [{cell.delta_low:+.3f}, {cell.delta_high:+.3f}]" if compared else "",
    }  # fmt: skip


def _job_row(job: JobLine, names: Sequence[str], folder: Path) -> dict[str, Any]:
    links = [(title, Path(os.path.relpath(run, folder)).as_posix()) for title, run in job.runs.items()]
    log = job.folder / "job.log"
    if log.exists():
        links.append(("log", Path(os.path.relpath(log, folder)).as_posix()))
    return {
        "number": job.number, "status": job.status, "seconds": f"{job.seconds:.0f}", "said": job.said, "links": links,
        "words": " ".join(f"{name}={job.overrides[name]}" for name in names if name in job.overrides),
    }  # fmt: skip
