"""`hydra/sweeper=optuna`: a search that keeps its study on disk, goes on with it, and ends hopeless trials early."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, Override, RangeSweep
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from glioma_os.errors import ConfigError, EnvironmentFault, TrainingError

STUDY = "study.log"


class SearchSweeper(Sweeper):
    """`n_trials` in all, those of earlier calls counted; `at_once` are asked for together.

    On the command line: choice(a,b) or a,b; interval(a,b), tag(log, interval(a,b)) for a logarithmic scale;
    range(a,b,step). Trials that a kill cut off are asked again.
    """

    def __init__(
        self, n_trials: int = 20, at_once: int = 1, direction: str = "maximize", seed: int = 1, prune: bool = False,
        params: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.n_trials, self.at_once, self.direction = n_trials, at_once, direction
        self.seed, self.prune, self.params = seed, prune, dict(params or {})

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Builds the launcher that the trials are run by."""
        self.hydra_context, self.config = hydra_context, config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        """Asks, runs and tells until `n_trials` came to an end; the best trial is said."""
        from glioma_os.training.progress import say

        study = self._study()
        fixed, space = self._parsed(arguments)
        self._ask_again_what_was_cut_off(study)
        while (left := self.n_trials - self._ended(study)) > 0:
            trials = [study.ask(space) for _ in range(min(self.at_once, left))]
            batch = [[*fixed, *(f"{name}={value}" for name, value in trial.params.items())] for trial in trials]
            self._watch(dict(zip((trial.number for trial in trials), trials, strict=True)))
            assert self.launcher is not None
            returns = self.launcher.launch(batch, initial_job_idx=trials[0].number)
            for trial, returned in zip(trials, returns, strict=True):
                self._tell(study, trial, returned)
        try:
            best = study.best_trial
            say(f"best of {self._ended(study)} trials: {best.value:.4f} (chosen after the fact) with {best.params}")
        except ValueError as fault:
            raise TrainingError(
                "hydra/sweeper=optuna", f"none of {self._ended(study)} trials came to a number", "Read their logs"
            ) from fault

    def _parsed(self, arguments: list[str]) -> tuple[list[str], dict[str, Any]]:
        """Overrides that all trials share, and the distribution of each that is searched."""
        words = [f"{name}={value}" for name, value in self.params.items()] + arguments
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        by_key = {override.get_key_element(): override for override in parser.parse_overrides(words)}
        fixed = [f"{key}={o.get_value_element_as_str()}" for key, o in by_key.items() if not o.is_sweep_override()]
        return fixed, {key: distribution(o) for key, o in by_key.items() if o.is_sweep_override()}

    def _study(self) -> Any:
        try:
            import optuna
        except ModuleNotFoundError as fault:
            raise EnvironmentFault("hydra/sweeper=optuna", "optuna is not installed", "pip install optuna") from fault
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        folder = Path(str(self.config.hydra.sweep.dir))
        folder.mkdir(parents=True, exist_ok=True)
        pruner = optuna.pruners.MedianPruner(n_startup_trials=4) if self.prune else optuna.pruners.NopPruner()
        study = optuna.create_study(
            storage=JournalStorage(JournalFileBackend(str(folder / STUDY))), study_name="search", pruner=pruner,
            direction=self.direction, load_if_exists=True,
        )  # fmt: skip
        # Begun again with the same seed it would ask again what it asked at first.
        study.sampler = optuna.samplers.TPESampler(seed=self.seed + len(study.trials))
        return study

    @staticmethod
    def _ended(study: Any) -> int:
        return sum(trial.state.is_finished() and not trial.user_attrs.get("cut off") for trial in study.trials)

    @staticmethod
    def _ask_again_what_was_cut_off(study: Any) -> None:
        from optuna.trial import TrialState

        for trial in study.get_trials(states=(TrialState.RUNNING,)):
            study._storage.set_trial_user_attr(trial._trial_id, "cut off", True)
            study.tell(trial.number, state=TrialState.FAIL)
            study.enqueue_trial(trial.params)

    def _watch(self, trials: Mapping[int, Any]) -> None:
        """Lets the launcher end a trial whose folds so far are below the median of the others'."""
        if not self.prune:
            return

        def hopeless(number: int, reports: list[float]) -> bool:
            trial = trials[number]
            known = trial.storage.get_trial(trial._trial_id).intermediate_values
            for step, value in enumerate(reports):
                if step not in known:
                    trial.report(value, step)
            return bool(trial.should_prune())

        self.launcher.watch = hopeless  # type: ignore[union-attr]

    @staticmethod
    def _tell(study: Any, trial: Any, returned: Any) -> None:
        from hydra.core.utils import JobStatus
        from optuna.trial import TrialState

        if returned.status == JobStatus.FAILED:
            study.tell(trial, state=TrialState.FAIL)
        elif returned.return_value is None:
            pruned = bool(trial.storage.get_trial(trial._trial_id).intermediate_values)
            study.tell(trial, state=TrialState.PRUNED if pruned else TrialState.FAIL)
        else:
            study.tell(trial, float(returned.return_value))


def distribution(override: Override) -> Any:
    """Optuna's words for a sweep in Hydra's."""
    import optuna

    swept, key = override.value(), override.get_key_element()
    if isinstance(swept, ChoiceSweep):
        return optuna.distributions.CategoricalDistribution(list(override.sweep_string_iterator()))
    log = "log" in getattr(swept, "tags", ())
    if isinstance(swept, IntervalSweep) and swept.start is not None and swept.end is not None:
        return optuna.distributions.FloatDistribution(float(swept.start), float(swept.end), log=log)
    if isinstance(swept, RangeSweep) and swept.start is not None and swept.stop is not None:
        last = int(swept.stop) - 1
        return optuna.distributions.IntDistribution(int(swept.start), last, step=int(swept.step))
    raise ConfigError(key, f"{override.get_value_element_as_str()} found → choice, interval or range", "Correct it")
