"""The contract of every head in the package: a new file is found and tested."""

import importlib
import pkgutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from glioma_os.errors import ConfigError, DataError, TrainingError
from glioma_os.fusion import heads
from glioma_os.fusion.heads.contract import Head, Model, OneByOne, Prediction, SurvivalHead, Task
from glioma_os.fusion.heads.cox import Cox
from glioma_os.fusion.heads.logistic import Logistic
from glioma_os.fusion.heads.mlp import MLP
from glioma_os.fusion.heads.xgboost import XGBoost
from glioma_os.survival.concordance import concordance
from glioma_os.survival.endpoints import classes

CUTS = {"binary": np.array([300.0]), "three_class": np.array([200.0, 450.0]), "time": np.empty(0)}


def all_heads():
    for module in pkgutil.iter_modules(heads.__path__):
        importlib.import_module(f"{heads.__name__}.{module.name}")
    found, waiting = [], [Head]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind.__module__.startswith(heads.__name__) and not kind.__abstractmethods__:
            found.append(kind())
    return sorted(found, key=lambda head: head.name)


def easy_task(endpoint, seed=0, n=70, width=3):
    """The first column raises the hazard strongly; a fifth is censored."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(n + 40, width))
    time = np.exp(5.7 - 1.2 * inputs[:, 0] + rng.normal(0, 0.3, n + 40))
    event = rng.uniform(size=n + 40) > 0.2
    cuts = CUTS[endpoint]
    n_classes = len(cuts) + 1 if len(cuts) else 0
    of_rows = classes(time, event, cuts)
    task = Task(inputs[:n], time[:n], event[:n], of_rows[:n], inputs[n:], {}, 11, n_classes, cuts)
    return task, time[n:], event[n:]


SERVED = [
    pytest.param(head, endpoint, id=f"{head.name}-{endpoint}")
    for head in all_heads()
    for endpoint in CUTS
    if ("time" if endpoint == "time" else "classes") in head.kinds
]


def test_the_heads_are_found_and_named_after_their_files():
    names = {head.name for head in all_heads()}
    assert names >= {"logistic", "random_forest", "xgboost", "cox", "mlp"}
    assert all(type(head).__module__.rsplit(".", 1)[1] == head.name for head in all_heads())


@pytest.mark.parametrize(("head", "endpoint"), SERVED)
def test_higher_risk_dies_first_in_every_setting(head, endpoint):
    task, time, event = easy_task(endpoint)
    predictions = head.fit_predict([replace(task, setting=setting) for setting in head.settings()])
    for prediction in predictions:
        assert prediction.risk.shape == (40,) and np.isfinite(prediction.risk).all()
        assert concordance(time, event, prediction.risk) > 0.7
        if endpoint == "time":
            assert prediction.probabilities is None
            continue
        assert prediction.probabilities.shape == (40, task.n_classes)
        assert (prediction.probabilities >= 0).all()
        assert np.allclose(prediction.probabilities.sum(axis=1), 1, atol=1e-6)
        assert np.corrcoef(prediction.probabilities[:, 0], prediction.risk)[0, 1] > 0.5


@pytest.mark.parametrize(("head", "endpoint"), SERVED)
def test_same_task_same_bits_and_test_rows_do_not_touch_the_fit(head, endpoint):
    task, _, _ = easy_task(endpoint)
    task = replace(task, setting=head.settings()[0])
    first, again = head.fit_predict([task])[0], head.fit_predict([task])[0]
    assert first.risk.tobytes() == again.risk.tobytes()
    disturbed = np.vstack([task.test_inputs[:20], task.test_inputs[20:] * 100])
    assert np.array_equal(head.fit_predict([replace(task, test_inputs=disturbed)])[0].risk[:20], first.risk[:20])


@pytest.mark.parametrize("head", all_heads(), ids=lambda head: head.name)
def test_kinds_are_honoured(head):
    assert head.fit_predict([]) == [] and head.settings()
    for endpoint in ("binary", "time"):
        task, _, _ = easy_task(endpoint)
        if task.kind not in head.kinds:
            with pytest.raises(ConfigError, match=head.name):
                head.fit_predict([task])


@pytest.mark.parametrize("head", [h for h in all_heads() if "classes" in h.kinds], ids=lambda head: head.name)
def test_a_class_absent_from_training_still_has_its_column(head):
    task, _, _ = easy_task("three_class")
    thinned = replace(task, classes=np.where(task.classes == 1, -1, task.classes), setting=head.settings()[0])
    assert head.fit_predict([thinned])[0].probabilities.shape == (40, 3)
    if not isinstance(head, SurvivalHead):  # those learn from times, not from classes
        with pytest.raises(DataError):
            head.fit_predict([replace(thinned, classes=np.zeros_like(task.classes))])


@pytest.mark.parametrize("head", [h for h in all_heads() if isinstance(h, SurvivalHead)], ids=lambda head: head.name)
def test_curves_fall_from_one_and_agree_with_the_classes(head):
    task, time, _ = easy_task("binary")
    task = replace(task, setting=head.settings()[0], horizons_days=np.array([0.0, 100, 299.99, 300, 1000]))
    found = head.fit_predict([task])[0]
    assert found.curves.shape == (40, 5) and np.allclose(found.curves[:, 0], 1)
    assert (np.diff(found.curves, axis=1) <= 1e-12).all() and (found.curves >= 0).all()
    assert np.allclose(1 - found.curves[:, 2], found.probabilities[:, 0], atol=1e-3)
    assert abs(found.curves[:, 1].mean() - np.mean(time > 100)) < 0.15
    timed = head.fit_predict([replace(task, n_classes=0, cuts_days=np.empty(0))])[0]
    assert np.array_equal(timed.curves, found.curves) and timed.probabilities is None


@pytest.mark.parametrize("head", [Logistic(), XGBoost(), MLP(dropout=0.0)], ids=lambda head: head.name)
def test_a_weight_of_two_is_a_row_twice(head):
    task, _, _ = easy_task("binary")
    task = replace(task, setting=head.settings()[0])
    twice = np.arange(70) < 30
    doubled = {
        name: np.concatenate([getattr(task, name), getattr(task, name)[twice]])
        for name in ("inputs", "time", "event", "classes")
    }
    weighted = head.fit_predict([replace(task, weights=1.0 + twice)])[0]
    assert np.allclose(weighted.risk, head.fit_predict([replace(task, **doubled)])[0].risk, atol=1e-4)


@pytest.mark.parametrize("endpoint", CUTS)
def test_batched_mlp_equals_single_fits(endpoint):
    head = MLP()
    sizes = [(70, 3), (40, 5), (55, 2), (70, 3)]
    tasks = [
        replace(easy_task(endpoint, seed, n, width)[0], seed=seed, setting=head.settings()[seed % 2])
        for seed, (n, width) in enumerate(sizes)
    ]
    together = head.fit_predict(tasks)
    in_programs_of_three = MLP(members_per_program=3, members_per_block=2).fit_predict(tasks)
    for task, batched, chunked in zip(tasks, together, in_programs_of_three, strict=True):
        single = head.fit_predict([task])[0].risk
        assert np.allclose(single, batched.risk, atol=1e-5) and np.allclose(single, chunked.risk, atol=1e-5)
    assert not np.allclose(together[0].risk, together[3].risk)


def test_mlp_says_nothing_and_leaves_no_file(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    MLP(steps=2).fit_predict([replace(easy_task("binary")[0], setting={"weight_decay": 0.1})])
    assert capfd.readouterr() == ("", "") and not list(tmp_path.iterdir())
    assert torch.get_num_threads() == threads


def test_mlp_refuses_mixed_endpoints():
    with pytest.raises(ConfigError):
        MLP().fit_predict([easy_task("binary")[0], easy_task("three_class")[0]])


def test_cox_probabilities_use_censored_rows_and_rise_with_the_cut():
    task, _, _ = easy_task("three_class")
    task = replace(task, setting={"l2": 1.0})
    all_rows = Cox().fit_predict([task])[0]
    known = task.classes >= 0
    fewer = replace(
        task, inputs=task.inputs[known], time=task.time[known], event=task.event[known], classes=task.classes[known]
    )
    assert not np.allclose(all_rows.risk, Cox().fit_predict([fewer])[0].risk)


def test_a_fit_that_is_not_finite_is_an_error():
    class BrokenModel(Model):
        def predict(self, inputs, horizons_days):
            return Prediction(np.full(len(inputs), np.nan))

    class Broken(OneByOne):
        name, kinds = "broken", frozenset({"time"})

        def settings(self):
            return [{}]

        def fit_one(self, task):
            return BrokenModel()

    with pytest.raises(TrainingError, match="1 of 1"):
        Broken().fit_predict([easy_task("time")[0]])


@pytest.mark.parametrize("name", ["cox", "elastic_net", "weibull", "discrete_hazard", "logistic"])
def test_a_penalty_spares_the_first_columns_as_it_is_told(name):
    """Of two equally strong columns a strong penalty leaves the spared one; the coefficients fit the raw inputs."""
    head = next(one for one in all_heads() if one.name == name)
    task, _, _ = easy_task("binary" if name == "logistic" else "time", n=120, width=2)
    rng = np.random.default_rng(3)
    inputs = rng.normal(size=(120, 2))
    time = np.exp(5.7 - 0.6 * inputs.sum(1) + rng.normal(0, 0.3, 120))
    event = np.ones(120, bool)
    strong = {"logistic": {"inverse_l2": 0.01}, "elastic_net": {"l2": 100.0, "l1": 20.0}, "weibull": {"l2": 3000.0}}
    setting = strong.get(name, {"l2": 100.0})
    task = replace(
        task, inputs=inputs, time=time, event=event, setting=setting, classes=classes(time, event, task.cuts_days)
    )

    def coefficients(n_spared):
        (model,) = head.fit([replace(task, n_spared=n_spared)])
        return np.abs(np.ravel(getattr(model, "coefficients", getattr(getattr(model, "model", model), "beta", None))))

    neither, first = coefficients(0), coefficients(1)
    assert first[0] / first[1] > 1.5 * neither[0] / neither[1]
    (free,) = head.fit([replace(task, setting={key: 1e9 if key == "inverse_l2" else 1e-9 for key in setting})])
    unpenalised = np.abs(np.ravel(getattr(free, "coefficients", getattr(getattr(free, "model", free), "beta", None))))
    both = coefficients(2)
    assert np.all(both > neither) and np.all(both < unpenalised)
