"""One rank of a process group: reads the fit that was planned in a run's folder, and fits."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pydantic import TypeAdapter

from glioma_os.errors import GliomaError
from glioma_os.pipeline.fit import PLAN, Finetune, FitSegmenter, Pretrain
from glioma_os.pipeline.workspace import Workspace
from glioma_os.training.distributed import record_fault
from glioma_os.training.processes import die_with_parent
from glioma_os.training.run import Run

STEPS: dict[str, type[FitSegmenter]] = {"pretrain": Pretrain, "finetune": Finetune}


def fit_planned(folder: Path) -> None:
    """Fits what a FitSegmenter left in `folder`."""
    plan = json.loads((folder / PLAN).read_text())
    step = TypeAdapter(STEPS[plan["stage"]]).validate_python(plan["step"])
    workspace = TypeAdapter(Workspace).validate_python(plan["workspace"])
    step.fit(workspace, TypeAdapter(Run).validate_python(plan["run"]))


if __name__ == "__main__":
    import signal

    die_with_parent(signal.SIGKILL)  # checkpoints are whole at any instant
    place = Path(sys.argv[1])
    try:
        fit_planned(place)
    except GliomaError as fault:
        record_fault(place, fault)
        raise
