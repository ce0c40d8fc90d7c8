"""One fit, as a plan: trained here, or by a gang of ranks that each read the same plan."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from glioma_os.errors import ConfigError, GliomaError
from glioma_os.stages.build import build, plain
from glioma_os.stages.publishing import loggers_of
from glioma_os.stages.segmenter import Segmenter
from glioma_os.stages.setting import Setting
from glioma_os.training.gang import LOG, record_fault, run_gang, threads_per_rank
from glioma_os.training.processes import die_with_parent
from glioma_os.training.progress import say
from glioma_os.training.run import Run

PLAN = "plan.json"


@dataclass(frozen=True)
class FitPlan:
    """What a fit is made of. `part` (pretraining or finetuning) and `cohort` are keys of the configuration."""

    stage: str
    part: str
    cohort: str
    channels: tuple[str, ...]
    train: tuple[str, ...]
    held: tuple[str, ...]
    title: str

    def schedule_of(self, setting: Setting) -> DictConfig:
        """How long and how fast."""
        return setting.cfg[self.part].schedule

    def data(self, setting: Setting, divisor: int) -> Any:
        """Its DataModule, prepared; patches are multiples of the network's `divisor`."""
        return setting.data(
            setting.cohort(self.cohort), self.channels, self.schedule_of(setting), train_patients=self.train,
            test_patients=self.held, divisor=divisor,
        )  # fmt: skip


def train(setting: Setting, plan: FitPlan, parent: Segmenter | None, run: Run) -> None:
    """Leaves the weights in the run: from `parent`'s, or from a start that the seed decides."""
    ranks = setting.options.devices
    if ranks == 1:
        fit_plan(setting, plan, parent, run)
        return
    if ranks > len(plan.train):
        raise ConfigError("trainer.devices", f"{ranks} for {len(plan.train)} patients found → no more", "Lower it")
    say(f"{plan.title}: {ranks} ranks, output in {run.path(LOG)}")
    told = {
        "config": plain(setting.cfg), "setting": setting.name, "plan": asdict(plan), "run": asdict(run),
        "parent": asdict(parent) if parent else None,
    }  # fmt: skip
    run.write_json(PLAN, told)
    run_gang(__name__, run.folder, ranks, threads_per_rank(ranks, setting.options.accelerator))


def fit_plan(setting: Setting, plan: FitPlan, parent: Segmenter | None, run: Run) -> None:
    """The fit itself, in this process."""
    import torch

    from glioma_os.modules.segmenter import SegmenterModule
    from glioma_os.modules.transfer import Full
    from glioma_os.training.fit import fit_segmenter
    from glioma_os.training.provenance import provenance

    schedule = plan.schedule_of(setting)
    torch.manual_seed(int(setting.cfg.seed))
    policy = setting.policy if parent else Full()
    if parent and policy.uses_pretrained:
        network = parent.network(setting).train()
    else:
        network = build(setting.cfg.network, "network", channels=len(plan.channels))
    module = SegmenterModule(
        network, build(schedule.objective, "schedule.objective"), policy, lr=float(schedule.lr),
        weight_decay=float(schedule.weight_decay), warmup=float(schedule.warmup), seed=int(setting.cfg.seed),
    )  # fmt: skip
    run.write_json("groups.json", policy.table(module.groups))
    run.write_json("provenance.json", provenance())
    loggers, data = loggers_of(setting, run), plan.data(setting, network.divisor)
    fit_segmenter(module, data, run, setting.options, int(schedule.epochs), loggers, plan.title)


def rank(folder: Path) -> None:
    """One rank of a gang: builds everything from the plan in `folder` and fits."""
    told = json.loads((folder / PLAN).read_text())
    setting = Setting(OmegaConf.create(told["config"]), told["setting"])
    lists = {name: tuple(told["plan"][name]) for name in ("channels", "train", "held")}
    parent = told["parent"]
    if parent:
        parent = Segmenter(_run(parent["run"]), tuple(parent["source_channels"]), tuple(parent["channels"]))
    fit_plan(setting, FitPlan(**told["plan"] | lists), parent, _run(told["run"]))


def _run(told: dict[str, Any]) -> Run:
    return Run(**told | {"root": Path(told["root"])})


if __name__ == "__main__":
    import signal

    die_with_parent(signal.SIGKILL)  # checkpoints are whole at any instant
    place = Path(sys.argv[1])
    try:
        rank(place)
    except GliomaError as fault:
        record_fault(place, fault)
        raise
