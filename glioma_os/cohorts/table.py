"""Any table with one row a patient: id, age, days, event; for cohorts that have no reader of their own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from glioma_os.cohorts.clinical import (
    Row,
    cases_of,
    is_blank,
    parse_choice,
    parse_clinical,
    parse_days,
    parse_site,
    pick,
    read_table,
)
from glioma_os.cohorts.cohort import Cohort
from glioma_os.errors import ConfigError, DataError
from glioma_os.records import Case, Outcome

EVENTS: dict[str, object] = {"0": False, "1": True}


class TableCohort(Cohort):
    """Patients without images. `event_column` null: every row is a death. `alias_columns` hold ids elsewhere.

    The columns sex, kps, eor, idh, mgmt and site are read where the table has them; blank = not recorded.
    """

    modalities = ()

    def __init__(
        self, table: str | Path | None, id_column: str = "patient_id", age_column: str = "age",
        days_column: str = "os_days", event_column: str | None = "event", alias_columns: Sequence[str] = (),
        name: str = "table",
    ) -> None:  # fmt: skip
        if table is None:
            raise ConfigError("cohort.table", "null found → a CSV expected", "Set cohort.table=FILE")
        self.table, self.name = Path(table), name
        self.columns, self.alias_columns = (id_column, age_column, days_column, event_column), tuple(alias_columns)
        self._names: dict[str, set[str]] = {}

    def _read(self) -> tuple[list[Case], list[tuple[str, str]]]:
        name, *others = self.columns
        needed = [(column,) for column in (*others, *self.alias_columns) if column]
        return cases_of(self.table, read_table(self.table, (name,), needed), self._case)

    def _case(self, row: Row) -> Case:
        _, age, days, event = self.columns
        died = parse_choice(pick(row, event), f"{row['row']}, column {event}", "event", EVENTS) if event else True
        if died is None:
            raise DataError(row["row"], f"column {event} blank found → 0 (censored) or 1 (died)", "Fill the cell")
        outcome = Outcome(parse_days(pick(row, days), f"{row['row']}, column {days}"), bool(died))
        clinical = parse_clinical(row, age)
        self._names[row["id"]] = {cell for column in self.alias_columns if not is_blank(cell := pick(row, column))}
        return Case(row["id"], row["id"], self.name, parse_site(row), clinical=clinical, outcome=outcome)

    def aliases(self) -> dict[str, frozenset[str]]:
        """Own id and those of the alias columns."""
        return {patient: names | self._names[patient] for patient, names in super().aliases().items()}
