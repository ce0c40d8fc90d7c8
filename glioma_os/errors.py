"""The one way to fail: where, what was found against what was expected, and what to do about it."""

from __future__ import annotations

import re

# Characters that steer a terminal or turn the direction of text; tab, line feed and carriage return are not among them.
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """The text with such characters written out: a name from a table must not steer a terminal."""
    return CONTROL.sub(lambda found: ascii(found[0])[1:-1], text).replace("\r", "\\r")


class GliomaError(Exception):
    """An error a user can act on.

    `where` names the file, row, case or config key; `problem` says found → expected; `remedy` says what to do.
    """

    exit_code = 1

    def __init__(self, where: object, problem: str, remedy: str) -> None:
        self.where, self.problem, self.remedy = str(where), problem, remedy
        super().__init__(f"{self.where}: {problem}. {remedy}")

    def __reduce__(self) -> tuple[type[GliomaError], tuple[str, str, str]]:
        return type(self), (self.where, self.problem, self.remedy)


class ConfigError(GliomaError):
    """A key, value or combination in the configuration cannot be used."""

    exit_code = 2


class DataError(GliomaError):
    """A volume or a table is not what it must be."""

    exit_code = 3


class EnvironmentFault(GliomaError):
    """The machine lacks something: disk, memory, a device, a permission."""

    exit_code = 4


class IntegrityError(GliomaError):
    """A stored thing (hash, cache, checkpoint, run directory) is not what was written."""

    exit_code = 5


class TrainingError(GliomaError):
    """A fit went wrong: not finite, diverged."""

    exit_code = 6


INTERRUPTED, TERMINATED = 130, 143
