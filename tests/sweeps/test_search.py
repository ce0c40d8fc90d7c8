"""Optuna's side of a search; needs `pip install optuna`, which slows every start, so CI goes without."""

import pytest

optuna = pytest.importorskip("optuna")

from hydra.core.override_parser.overrides_parser import OverridesParser  # noqa: E402

from glioma_os.errors import ConfigError  # noqa: E402
from hydra_plugins.glioma_os_search import SearchSweeper, distribution  # noqa: E402


def parsed(words):
    return OverridesParser.create().parse_overrides([words])[0]


def test_hydras_words_are_optunas():
    d = optuna.distributions
    assert distribution(parsed("head=cox,mlp")) == d.CategoricalDistribution(["cox", "mlp"])
    assert distribution(parsed("a=interval(0,1)")) == d.FloatDistribution(0, 1)
    assert distribution(parsed("a=tag(log, interval(1e-5,1e-3))")) == d.FloatDistribution(1e-5, 1e-3, log=True)
    assert distribution(parsed("a=range(1,6)")) == d.IntDistribution(1, 5)
    with pytest.raises(ConfigError, match="choice, interval or range"):
        distribution(parsed("a=glob(x*)"))


def test_a_trial_that_was_cut_off_is_asked_again():
    study = optuna.create_study(direction="maximize")
    space = {"x": optuna.distributions.FloatDistribution(0, 1)}
    cut = study.ask(space)
    SearchSweeper._ask_again_what_was_cut_off(study)
    assert SearchSweeper._ended(study) == 0 and study.ask(space).params == cut.params


def test_a_pruned_trial_is_told_as_pruned_and_a_failed_one_as_failed():
    from hydra.core.utils import JobReturn, JobStatus

    study = optuna.create_study(direction="maximize", pruner=optuna.pruners.MedianPruner(n_startup_trials=0))
    space = {"x": optuna.distributions.FloatDistribution(0, 1)}
    sweeper = SearchSweeper(prune=True)
    sweeper.launcher = type("Launcher", (), {})()
    fine, poor, broken = (study.ask(space) for _ in range(3))
    sweeper._watch({trial.number: trial for trial in (fine, poor, broken)})
    assert not sweeper.launcher.watch(fine.number, [0.8, 0.9])
    sweeper._tell(study, fine, JobReturn(status=JobStatus.COMPLETED, _return_value=0.9))
    assert sweeper.launcher.watch(poor.number, [0.2])
    sweeper._tell(study, poor, JobReturn(status=JobStatus.COMPLETED, _return_value=None))
    sweeper._tell(study, broken, JobReturn(status=JobStatus.FAILED, _return_value=RuntimeError()))
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "PRUNED", "FAIL"]
    assert study.best_value == 0.9 and SearchSweeper._ended(study) == 3
