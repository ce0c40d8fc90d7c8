"""Survival in tables: the unit of time, what an event value means, and times that no unit makes plausible."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from glioma_os.cohorts.clinical import Row, parse_number
from glioma_os.cohorts.vocabulary import (
    CENSORED,
    DAYS_OF,
    DIED,
    EVENTS,
    FLAGS,
    as_code,
    is_blank,
    one_means,
    plain,
    units_in,
)
from glioma_os.errors import ConfigError, DataError
from glioma_os.records import Case, Outcome

MAYBE_THOUSANDS = re.compile(r"[0-9]{1,3}[.,][0-9]{3}")
ALIVE = re.compile(r"ALIVE \(([0-9]+) days later\)", re.IGNORECASE)
LONGEST_DAYS = 15_000  # 41 years: beyond it the unit is wrong
SAME_DAY = 0.5  # time of a death on day 0, which survival methods cannot take as 0
MIN_FOR_MEDIAN = 10  # fewer patients can have any median
SHORTEST_MEDIAN, LONGEST_MEDIAN = 90.0, 3652.5  # days; medians of glioma cohorts lie between some months and 10 years
DECLARE_UNIT = "Set cohort.time_unit to days, weeks, months or years"
WRITE_DAYS = "Write days, as the published table does; cohort=table reads other units (cohort.time_unit)"
NO_SURVIVAL, NO_FOLLOW_UP = "no survival recorded", "no follow-up (0 days)"


@dataclass(frozen=True)
class OutcomeColumns:
    """Where a table has time and event, and how to read them.

    `event` None: every row is a death. `unit` None: what the time column's name says, else days. `values`: what event
    values mean (`died` or `censored`), where neither word nor column name says it.
    """

    time: str
    event: str | None
    unit: str | None = None
    values: Mapping[str, str] | None = None

    @classmethod
    def declared(
        cls, time: str, event: str | None, unit: str | None, values: Mapping[object, str] | None
    ) -> OutcomeColumns:
        """The same from a configuration; words that are none are a ConfigError."""
        if unit is not None and unit not in DAYS_OF:
            raise ConfigError("cohort.time_unit", f"{unit!r} found → one of {', '.join(DAYS_OF)} or null expected",
                              "Correct the value")  # fmt: skip
        if values is not None and not (isinstance(values, Mapping) and set(values.values()) <= {DIED, CENSORED}):
            raise ConfigError("cohort.event_values", f"{values!r} found → a mapping to {DIED} or {CENSORED} expected",
                              "Write {1: died, 0: censored}, with the values of your table")  # fmt: skip
        own = None if values is None else {plain(as_code(str(key))): meaning for key, meaning in values.items()}
        return cls(time, event, unit, own)

    def read(self, row: Row) -> tuple[Outcome | None, str]:
        """The outcome of a row, or None and why it is left out."""
        died = True if self.event is None else self._died(*row.at(self.event))
        text, where = row.at(self.time)
        if died is None or is_blank(text):
            return None, NO_SURVIVAL
        return outcome_of(self._days(text, where), died)

    def _died(self, text: str, where: str) -> bool | None:
        word = plain(as_code(text))
        if self.values is not None and word in self.values:
            return self.values[word] == DIED
        if is_blank(text):
            return None
        coded = re.fullmatch(r"[01] ?: ?(.+)", word)  # 1:DECEASED, as cBioPortal writes it
        word = coded[1] if coded else word
        if word in EVENTS:
            return EVENTS[word] == DIED
        meaning = one_means(self.event or "")
        if word in FLAGS and meaning is not None:
            return FLAGS[word] == (meaning == DIED)
        found = f"event {text!r} found"
        if word in FLAGS:
            raise DataError(where, f"{found}, which the name of the column does not explain → a declared meaning "
                            "expected", "Set 'cohort.event_values={1: died, 0: censored}' with the values of your "
                            "table")  # fmt: skip
        raise DataError(where, f"{found} → 0 or 1, dead or alive, or a declared value expected", "Correct the cell, or "
                        "set 'cohort.event_values={1: died, 0: censored}' with the values of your table")  # fmt: skip

    def _days(self, text: str, where: str) -> float:
        unit = self.unit or self._unit_of_name(where)
        if unit == "days":
            return parse_days(text, where)
        return parse_number(text, where, unit, -1, LONGEST_DAYS / DAYS_OF[unit]) * DAYS_OF[unit]

    def _unit_of_name(self, where: str) -> str:
        named = units_in(self.time) or {"days"}
        if len(named) > 1:
            raise DataError(where, f"a name with {' and '.join(sorted(named))} found → one unit expected", DECLARE_UNIT)
        return named.pop()


def outcome_of(days: float, died: bool) -> tuple[Outcome | None, str]:
    """A death on day 0 counts half a day; a follow-up of 0 days says nothing and is left out."""
    if days == 0 and not died:
        return None, NO_FOLLOW_UP
    return Outcome(days or SAME_DAY, died), ""


def _refuse_thousands(text: str, where: str) -> None:
    """3.795 days are 3795 where points part thousands: no table of days is believed to mean the other."""
    text = text.strip()
    if MAYBE_THOUSANDS.fullmatch(text):
        decimal = f"{float(text.replace(',', '.')):.1f}"
        raise DataError(where, f"days {text!r} found, which can be read as thousands or as a decimal number → days "
                        "without signs for thousands expected",
                        f"Write {int(re.sub('[.,]', '', text))} (or {decimal})")  # fmt: skip


def parse_days(text: str, where: str) -> float:
    """Days, 0 or more."""
    _refuse_thousands(text, where)
    return parse_number(text, where, "days", -1, LONGEST_DAYS)


def parse_survival(text: str, where: str) -> Outcome | None:
    """BraTS survival: whole days = died then; `ALIVE (361 days later)` = censored then; blank or NA = not recorded."""
    if is_blank(text):
        return None
    alive = ALIVE.fullmatch(text.strip())
    digits = alive[1] if alive else text.strip()
    _refuse_thousands(digits, where)
    if not re.fullmatch(r"[0-9]+(\.0*)?", digits) or not float(digits) < LONGEST_DAYS:
        raise DataError(
            where, f"survival {text!r} found → days such as 289, or ALIVE (361 days later), expected",
            "Correct the cell; write days, not months",
        )  # fmt: skip
    return outcome_of(float(digits), alive is None)[0]


def check_median(path: str | Path, column: str, cases: Iterable[Case], remedy: str = WRITE_DAYS) -> None:
    """A median time that patients with glioma do not have is a DataError: another unit of time is likely."""
    days = [case.outcome.time_days for case in cases if case.outcome is not None]
    if len(days) < MIN_FOR_MEDIAN or SHORTEST_MEDIAN <= median(days) <= LONGEST_MEDIAN:
        return
    raise DataError(
        f"{path}, column {column}", f"a median of {median(days):g} days found → {SHORTEST_MEDIAN:g} to "
        f"{LONGEST_MEDIAN:g} expected: months, weeks or years are read as days, or days as another unit", remedy,
    )  # fmt: skip
