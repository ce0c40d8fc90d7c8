"""Any table with one row a patient: id, age, time, event; for cohorts that have no reader of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from glioma_os.cohorts.clinical import Excluded, Row, cases_of, parse_clinical, parse_site, read_table
from glioma_os.cohorts.cohort import Cohort
from glioma_os.cohorts.outcomes import DECLARE_UNIT, OutcomeColumns, check_median
from glioma_os.cohorts.patient_ids import compile_pattern, patient_of
from glioma_os.cohorts.vocabulary import is_blank
from glioma_os.errors import ConfigError
from glioma_os.records import Case

RENAME = "Set cohort.id_column, age_column, days_column, event_column (null: all died) to the table's own names"


class TableCohort(Cohort):
    """Patients without images. `event_column` null: every row is a death. `alias_columns` hold ids elsewhere.

    `time_unit` (days, weeks, months, years) and `event_values` ({value: died or censored}) declare what the columns
    hold; null = what their names and words say. `patient_pattern`: a regular expression whose first group is the part
    of the id that names the patient; null = the id, or the patient of a TCGA barcode and the like. The columns sex,
    kps, eor, idh, mgmt and site are read where the table has them; blank = not recorded. A case without time or event
    keeps `outcome` None.
    """

    modalities = ()

    def __init__(
        self, table: str | Path | None, id_column: str = "patient_id", age_column: str = "age",
        days_column: str = "os_days", event_column: str | None = "event", alias_columns: Sequence[str] = (),
        time_unit: str | None = None, event_values: Mapping[object, str] | None = None,
        patient_pattern: str | None = None, name: str = "table",
    ) -> None:  # fmt: skip
        if table is None:
            raise ConfigError("cohort.table", "not set → a table (CSV or .xlsx) expected", "Set cohort.table=FILE")
        self.table, self.name = Path(table), name
        self.id_column, self.age_column, self.alias_columns = id_column, age_column, tuple(alias_columns)
        self.outcomes = OutcomeColumns.declared(days_column, event_column, time_unit, event_values)
        self._pattern = None if patient_pattern is None else compile_pattern(patient_pattern, "cohort.patient_pattern")
        self._names: dict[str, set[str]] = {}

    def _read(self) -> tuple[list[Case], list[Excluded]]:
        columns = (self.age_column, self.outcomes.time, self.outcomes.event, *self.alias_columns)
        rows = read_table(self.table, (self.id_column,), [(column,) for column in columns if column], remedy=RENAME)
        cases, excluded = cases_of(self.table, rows, self._case)
        if self.outcomes.unit is None:
            check_median(self.table, self.outcomes.time, cases, DECLARE_UNIT)
        return cases, excluded

    def _case(self, row: Row) -> Case:
        outcome, _ = self.outcomes.read(row)
        clinical = parse_clinical(row, self.age_column)
        patient = patient_of(row.id, self._pattern, row.where)
        elsewhere = {cell for column in self.alias_columns if not is_blank(cell := row.pick(column))}
        self._names.setdefault(patient, set()).update({row.id}, elsewhere)
        return Case(row.id, patient, self.name, parse_site(row), clinical=clinical, outcome=outcome)

    def aliases(self) -> dict[str, frozenset[str]]:
        """Own ids and those of the alias columns."""
        return {patient: names | self._names[patient] for patient, names in super().aliases().items()}
