"""Hydra's door to the jobs of a sweep: `hydra/launcher=process`, the default of `glioma-os -m`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from glioma_os.errors import GliomaError, TrainingError


class ProcessLauncher(Launcher):
    """Runs each job as its own process tree; one that was done before, and depends on nothing new, is not run."""

    def __init__(
        self, n_jobs: int = 1, gpus: Sequence[int] = (), time_limit_s: float | None = None, retries: int = 0,
        cluster: str | None = None, queue: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        self.cluster, self.queue = cluster, dict(queue or {})
        self.watch: Callable[[int, list[float]], bool] | None = None
        self.options: dict[str, Any] = {
            "n_jobs": n_jobs, "gpus": tuple(gpus), "time_limit_s": time_limit_s, "retries": retries,
        }  # fmt: skip

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keeps what a job's configuration is composed from."""
        self.context, self.config = hydra_context, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """One JobReturn a job, in order; a failed one raises when its value is asked for."""
        from glioma_os.sweeps.jobs import JOB, Outcome, Pool, earlier_outcome, own_words, run_jobs
        from glioma_os.training.progress import say
        from glioma_os.volumes.atomic import sweep_drafts

        setup_globals()
        sweep_drafts(self._folder)
        pool, start = Pool(**self.options), time.monotonic()
        configs = [self.context.config_loader.load_sweep_config(self.config, list(own)) for own in job_overrides]
        jobs = [
            self._job(cfg, tuple(own), initial_job_idx + k)
            for k, (cfg, own) in enumerate(zip(configs, job_overrides, strict=True))
        ]
        found: dict[int, Outcome] = {}
        for job, cfg in zip(jobs, configs, strict=True):
            earlier = earlier_outcome(job, self._key(cfg)) if (job.folder / JOB).exists() else None
            if earlier is not None:
                found[job.number] = earlier
        say(f"{len(jobs)} jobs, {len(found)} done before, {pool.n_jobs} at a time; logs in {self._folder}")

        def ended(outcome: Outcome) -> None:
            found[outcome.job.number] = outcome
            self._summarise([found[number] for number in sorted(found)])
            told = f"\n      {outcome.said}" if outcome.said else ""
            say(
                f"  {len(found)}/{len(jobs)} #{outcome.job.number} {outcome.status} in {outcome.seconds:.0f} s: "
                f"{own_words(outcome.job.overrides, jobs)}{told}"
            )

        run_jobs(
            [job for job in jobs if job.number not in found], pool, ended, starter=self._starter(), hopeless=self.watch
        )
        outcomes = [found[job.number] for job in jobs]
        self._summarise(outcomes)
        failed = [o for o in outcomes if not o.done and o.status != "pruned"]
        say(
            f"{len(outcomes) - len(failed)} of {len(outcomes)} jobs done in {time.monotonic() - start:.0f} s; "
            f"glioma-os stage=collect runs={self._folder}"
        )
        return [
            self._returned(outcome, cfg, own_words(outcome.job.overrides, jobs))
            for outcome, cfg in zip(outcomes, configs, strict=True)
        ]

    def _starter(self) -> Any:
        """This machine, or a queue."""
        from glioma_os.sweeps.jobs import LocalJob
        from glioma_os.sweeps.slurm import Queue

        return LocalJob if self.cluster is None else Queue(self.cluster, self._folder, self.queue).start

    @property
    def _folder(self) -> Path:
        return Path(str(self.config.hydra.sweep.dir))

    def _job(self, cfg: DictConfig, overrides: tuple[str, ...], number: int) -> Any:
        from glioma_os.sweeps.jobs import Job
        from glioma_os.training.run import digest

        gpus = int(cfg.trainer.devices) if cfg.trainer.accelerator == "gpu" else 0
        return Job(number, self._folder / digest(sorted(overrides)), overrides, gpus)

    @staticmethod
    def _key(cfg: DictConfig) -> str:
        """Empty where it cannot be told: the job itself will say what is wrong, and alone."""
        from glioma_os.stages.assemble import command_words
        from glioma_os.stages.job import job_key

        try:
            return job_key(cfg, command_words(cfg.hydra.overrides.task))
        except GliomaError:
            return ""

    def _summarise(self, outcomes: Sequence[Any]) -> None:
        """`sweep.json`: every job with its overrides, status and run directories; jobs of earlier calls stay in it."""
        from glioma_os.sweeps.jobs import SWEEP
        from glioma_os.volumes.atomic import atomic_write

        told: list[dict[str, Any]] = [
            {
                "number": o.job.number, "folder": o.job.folder.name, "overrides": list(o.job.overrides),
                "status": o.status, "seconds": round(o.seconds, 1), "said": o.said, **o.result,
            }
            for o in outcomes
        ]  # fmt: skip
        path = self._folder / SWEEP
        own, taken = {job["folder"] for job in told}, {job["number"] for job in told}
        for job in self._earlier(path):
            if job["folder"] in own or not (self._folder / job["folder"]).is_dir():
                continue
            number = job["number"] if job["number"] not in taken else max(taken) + 1
            taken.add(number)
            told.append(job | {"number": number})
        atomic_write(path, json.dumps(sorted(told, key=lambda job: job["number"]), indent=1).encode())

    @staticmethod
    def _earlier(path: Path) -> list[dict[str, Any]]:
        """Jobs of earlier calls; none where the summary cannot be read, since it is written anew."""
        try:
            jobs = json.loads(path.read_text())
            return [job for job in jobs if isinstance(job["folder"], str) and isinstance(job["number"], int)]
        except (OSError, ValueError, TypeError, KeyError):
            return []

    @staticmethod
    def _returned(outcome: Any, cfg: DictConfig, words: str) -> JobReturn:
        returned = JobReturn(overrides=[words], cfg=cfg, working_dir=str(outcome.job.folder))
        fine = outcome.done or outcome.status == "pruned"
        returned.status = JobStatus.COMPLETED if fine else JobStatus.FAILED
        returned.return_value = (
            outcome.result.get("objective")
            if fine
            else TrainingError(
                f"job #{outcome.job.number} {words}",
                f"{outcome.status} (code {outcome.code}): {outcome.said}",
                f"Read {outcome.job.folder / 'job.log'}; the other jobs are not touched",
            )
        )
        return returned
