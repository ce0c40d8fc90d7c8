"""stage=permutation_test: label-permutation and noise-feature control. A pipeline that scores on either leaks: exit
code 5."""

from __future__ import annotations

from omegaconf import DictConfig

from glioma_os.errors import IntegrityError
from glioma_os.pipeline.permutation_test import PermutationTest
from glioma_os.stages.assemble import arm_of, options_of, workspace_of
from glioma_os.training.progress import say


def main(cfg: DictConfig) -> None:
    """Prints the table; a leak is an IntegrityError."""
    arm, workspace = arm_of(cfg), workspace_of(cfg)
    arm.check(workspace)
    run = PermutationTest.of(workspace, arm, options_of(cfg, "permutation_test")).run(workspace)
    scores = run.read_json("null.json")["scores"]
    for s in scores:
        say(f"  {s['head']:<16}{s['block']:<11}null mean {s['mean']:.3f}, highest {s['highest']:.3f} of {s['runs']}; "
            f"observed {s['observed']:.3f}, p = {s['p']:.3f}")  # fmt: skip
    say(f"{run.path('null.csv')}")
    leaking = [s for s in scores if s["leaks"]]
    if leaking:
        raise IntegrityError(
            f"{leaking[0]['head']} on {leaking[0]['block']}",
            f"mean {leaking[0]['mean']:.3f} where nothing can be predicted → 0.5 expected",
            "Test patients influence the training: look for selection or scaling before the folds",
        )
