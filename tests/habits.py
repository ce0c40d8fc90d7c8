"""What pre-commit and CI ask of every file: `python -m tests.habits whitespace|large FILES`; exit code 1 names them."""

import sys
from pathlib import Path

LARGEST_BYTES = 500_000
GENERATED = (".csv", ".svg", ".json")  # tables and figures as their programs write them


def untidy(path):
    """Whether a text file has blanks at the end of a line or does not end with one newline."""
    raw = path.read_bytes()
    if path.suffix in GENERATED or b"\0" in raw or not raw:
        return False
    lines = raw.split(b"\n")
    return any(line != line.rstrip() for line in lines) or lines[-1] != b"" or lines[-2:] == [b"", b""]


CHECKS = {"whitespace": untidy, "large": lambda path: path.stat().st_size > LARGEST_BYTES}


if __name__ == "__main__":
    wrong = [name for name in sys.argv[2:] if Path(name).is_file() and CHECKS[sys.argv[1]](Path(name))]
    print("\n".join(wrong))
    sys.exit(bool(wrong))
