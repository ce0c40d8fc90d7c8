"""The wheel's files alone, in an empty folder: `python -m tests.wheel FOLDER_OF_ITS_FILES`."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

RUN = "import sys, glioma_os, glioma_os.__main__ as m; assert sys.argv.pop(1) in glioma_os.__file__; m.main()"
COMMANDS = (["--help"], ["--version"], ["--cfg", "job", "experiment=demo"])


def main(folder):
    """Each command runs without the checkout."""
    environment = {**os.environ, "PYTHONPATH": str(Path(folder).resolve())}
    with tempfile.TemporaryDirectory() as empty:
        for words in COMMANDS:
            command = [sys.executable, "-c", RUN, environment["PYTHONPATH"], *words]
            done = subprocess.run(command, cwd=empty, env=environment, capture_output=True, text=True, check=False)
            if done.returncode or not done.stdout.strip():
                sys.exit(f"{words}: {done.returncode}\n{done.stdout}{done.stderr}")
    print("The wheel runs in an empty folder")


if __name__ == "__main__":
    main(sys.argv[1])
