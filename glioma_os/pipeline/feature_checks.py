"""Columns of a feature table that must not be features, by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from glioma_os.data.feature_csv import drop_word
from glioma_os.errors import DataError
from glioma_os.fusion.leaks import Finding, Suspicion, implausible_columns, leaking_columns, suspected_selection
from glioma_os.records import Case, FeatureTable
from glioma_os.training.progress import say

SHOWN = 5  # columns that one message names


def inspect(table: FeatureTable, cases: Sequence[Case]) -> tuple[list[Finding], Suspicion | None]:
    """Columns that tell the outcome of these cases, and whether the columns look selected by it."""
    held = set(table.case_ids)
    known = [case for case in cases if case.outcome is not None and case.case_id in held]
    if not known:
        return [], None
    values = np.asarray(table.rows([case.case_id for case in known]), float)
    time = np.array([case.outcome.time_days for case in known if case.outcome], float)
    event = np.array([case.outcome.event for case in known if case.outcome], bool)
    found = leaking_columns(table.names, values, time, event, table.provenance.get("row_number_columns", ()))
    suspicion = implausible_columns(table.names, values, time, event)
    return found, suspicion or suspected_selection(table.names, values, time, event)


def check_columns(table: FeatureTable, studies: Iterable[Sequence[Case]], dropped: Sequence[str] = ()) -> FeatureTable:
    """The table, if no column tells the outcome in any of these groups of eligible cases; else a DataError.

    Columns that only look selected by the outcome are reported in one line, and in `provenance["suspected_columns"]`
    (columns, reason). `dropped`: what features.drop says already.
    """
    suspicion = None
    for cases in studies:
        found, suspected = inspect(table, cases)
        if found:
            raise DataError("features", _named(found), f"Set {drop_words(table, found, dropped)}")
        suspicion = suspicion or suspected
    if suspicion is None:
        return table
    say(f"Warning: a leak from the outcome into the features is suspected: {suspicion.reason}. Check how the columns "
        "were made; select columns inside the folds, or on other patients")  # fmt: skip
    stored = {"columns": list(suspicion.columns), "reason": suspicion.reason}
    return replace(table, provenance=table.provenance | {"suspected_columns": stored})


def _named(found: list[Finding]) -> str:
    shown = "; ".join(f"{finding.column!r} {finding.reason}" for finding in found[:SHOWN])
    more = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return f"columns that cannot be features found: {shown}{more} → features known before the outcome expected"


def drop_words(table: FeatureTable, found: list[Finding], dropped: Sequence[str] = ()) -> str:
    """`features.drop=[…]` that leaves these columns out too: names as the files' headers have them."""
    several = len(table.provenance["source_sha256"]) > 1  # then a column is called file/column
    names = [one.column.partition("/")[2] if several else one.column for one in found]
    return drop_word([*dropped, *names])
