from dataclasses import replace

import numpy as np
import pytest

from glioma_os.errors import ConfigError, DataError, IntegrityError
from glioma_os.fusion.heads.contract import Model, OneByOne, Prediction
from glioma_os.fusion.heads.cox import Cox
from glioma_os.fusion.heads.logistic import Logistic
from glioma_os.fusion.heads.mlp import MLP
from glioma_os.fusion.preprocessing import Preparation
from glioma_os.fusion.rows import clinical_variables
from glioma_os.fusion.scores import point, samples_of, score
from glioma_os.fusion.validation import nested_validation
from glioma_os.survival.bootstrap import METRICS
from glioma_os.survival.curves import kaplan_meier
from glioma_os.survival.endpoints import Endpoint, classes
from tests.fusion.doubles import cohort, external_validation, folds_of, table

BINARY, OS = Endpoint("binary", cuts_days=(300,)), Endpoint("os", kind="time")
LOGISTIC = Logistic()
MEDIAN = Endpoint("median", quantiles=(0.5,))


class Counting(Logistic):
    calls = 0

    def fit(self, tasks):
        Counting.calls += 1
        return super().fit(tasks)


class NoiseModel(Model):
    def predict(self, inputs, horizons_days):
        risk = np.random.default_rng(len(inputs)).uniform(size=len(inputs))
        return Prediction.of_classes(np.column_stack([risk, 1 - risk]), np.arange(2), 2)


class Noise(OneByOne):
    """Knows nothing."""

    name, kinds = "noise", frozenset({"classes"})

    def settings(self):
        return [{}]

    def fit_one(self, task):
        return NoiseModel()


def validate(rows, values, endpoint=BINARY, heads=(LOGISTIC,), clinical=("age",), **settings):
    given = {"folds": folds_of(rows), **settings}
    return nested_validation(rows, clinical, lambda repeat, fold: table(rows, values), heads, endpoint, **given)


def named(result):
    return [(configuration.head, configuration.block) for configuration in result.configurations]


@pytest.fixture(scope="module")
def easy():
    return cohort(150, seed=3)


@pytest.fixture(scope="module")
def fused(easy):
    return validate(
        *easy, heads=(Logistic(), Cox()), clinical=clinical_variables("clinical"), folds=folds_of(easy[0], repeats=2)
    )


def test_baselines_and_blocks_always_stand_there(easy, fused):
    blocks = ("age", "clinical", "latent", "fused")
    both = [(head, block) for head in ("logistic", "cox") for block in blocks]
    together = [(head, block) for block in blocks for head in ("selected", "ensemble")]
    assert named(fused) == [("majority", "none"), *both, *together]
    only_age = nested_validation(easy[0], ("age",), None, [Cox()], OS, folds_of(easy[0]))
    assert named(only_age) == [("majority", "none"), ("cox", "age")]
    assert named(nested_validation(easy[0], ("age",), None, [Cox()], BINARY, folds_of(easy[0])))[1:] == [
        ("logistic", "age"),
        ("cox", "age"),
    ]


def test_every_table_has_every_case_once_per_repeat_in_one_order(easy, fused):
    rows, _ = easy
    for configuration in fused.configurations:
        assert configuration.table.case_ids == rows.case_ids * 2 == fused.truth.case_ids
        assert configuration.table.repeat.tolist() == [0] * 150 + [1] * 150
    folds = folds_of(rows, repeats=2)
    for position in (0, 77, 210):
        repeat, fold = fused.truth.repeat[position], fused.truth.fold[position]
        assert fused.truth.patient_ids[position] in folds.test(repeat, fold)
    assert np.array_equal(fused.truth.classes[:150], classes(rows.time, rows.event, np.array([300.0])))
    assert fused.undetermined == np.sum(fused.truth.classes[:150] < 0) > 0


def test_the_search_is_counted(fused):
    candidates = {(c.head, c.block): c.settings_tried for c in fused.configurations}
    assert candidates["logistic", "clinical"] == 3 and candidates["logistic", "fused"] == 6
    assert fused.settings_tried == 1 + 2 * (3 + 3 + 6 + 6)
    assert len(fused.configurations[2].chosen) == 10
    assert fused.configurations[2].patients_per_parameter == 120 / 8  # seven columns and the indicator of sex
    assert fused.configurations[2].columns == 8


def test_a_head_is_called_twice_whatever_the_number_of_fits(easy):
    Counting.calls = 0
    validate(*easy, heads=(Counting(),))
    assert Counting.calls == 2


def test_quantile_cuts_come_from_the_training_fold(easy):
    rows, values = easy
    moved = replace(rows, time=np.where(np.arange(150) == 0, 30000.0, rows.time))
    result = validate(rows, values, endpoint=MEDIAN)
    disturbed = validate(moved, values, endpoint=MEDIAN, folds=folds_of(rows))
    own_fold = result.truth.fold == result.truth.fold[0]
    for before, after in zip(result.configurations, disturbed.configurations, strict=True):
        assert np.array_equal(before.table.risk[own_fold], after.table.risk[own_fold])
    assert np.array_equal(result.truth.classes[own_fold][1:], disturbed.truth.classes[own_fold][1:])


def test_test_rows_leave_the_fit_bitwise_alone(easy):
    rows, values = easy
    held = set(folds_of(rows).test(0, 0))
    victim = next(i for i, patient in enumerate(rows.patient_ids) if patient in held)
    disturbed = values.copy()
    disturbed[victim] *= 1e3
    others = np.array([i for i, patient in enumerate(rows.patient_ids) if patient in held and i != victim])
    rows = replace(rows, sites=tuple("ab"[i % 2] for i in range(150)))
    settings = {"heads": (Logistic(), Cox(), MLP(steps=20)), "how": Preparation((4,), combat=True)}
    settings |= {"horizons_days": (100, 300), "endpoint": replace(BINARY, censored="ipcw")}
    before, after = validate(rows, values, **settings), validate(rows, disturbed, **settings)
    for one, two in zip(before.configurations, after.configurations, strict=True):
        assert one.table.risk[others].tobytes() == two.table.risk[others].tobytes()
        assert one.table.curves[others].tobytes() == two.table.curves[others].tobytes()


def test_selected_takes_the_head_that_inner_folds_prefer(easy):
    result = validate(*easy, heads=(Logistic(), Cox(), Noise()))
    tables = {(c.head, c.block): c.table for c in result.configurations}
    chosen = tables["selected", "fused"].risk
    for fold in range(5):
        own = result.truth.fold == fold
        order = np.argsort(np.argsort(chosen[own], kind="stable"))
        theirs = [tables[head, "fused"].risk[own] for head in ("logistic", "cox")]
        assert any(np.corrcoef(order, np.argsort(np.argsort(risk)))[0, 1] > 0.99 for risk in theirs)
    ensemble = result.named("ensemble", "fused")
    mean = np.mean([tables[head, "fused"].probabilities for head in ("logistic", "cox", "noise")], axis=0)
    weight = np.array(ensemble.feature_weights)[result.truth.fold][:, None]
    blended = weight * mean + (1 - weight) * tables["logistic", "age"].probabilities
    assert np.allclose(ensemble.table.probabilities, blended) and 0.5 < weight.mean() <= 1


def test_every_configuration_has_curves_that_fall_and_are_calibrated(easy):
    rows, values = easy
    horizons = np.array([50.0, 150, 300, 600])
    result = validate(rows, values, heads=(Logistic(), Cox()), horizons_days=horizons)
    for configuration in result.configurations:
        curves = configuration.table.curves
        assert curves.shape == (150, 4) and (np.diff(curves, axis=1) <= 1e-12).all()
        observed = kaplan_meier(rows.time, rows.event)
        for k, day in enumerate(horizons):
            expected = observed.survival[np.searchsorted(observed.times, day, side="right") - 1]
            assert abs(curves[:, k].mean() - expected) < 0.1  # 2.7 standard errors of the estimate itself
    tables = {(c.head, c.block): c.table for c in result.configurations}
    assert np.std(tables["logistic", "fused"].curves[:, 2]) > 0.1 > np.std(tables["majority", "none"].curves[:, 2])


def test_combat_takes_the_site_from_the_features_and_the_result_says_so(easy):
    rows, values = easy
    sites = np.array(["a", "b", "c"])[np.arange(150) % 3]
    shifted = values + np.select([sites == "b", sites == "c"], [1.5, -1.5], 0.0)[:, None].astype(np.float32)
    rows = replace(rows, sites=tuple(sites))
    result = validate(rows, shifted, how=Preparation((6,), combat=True))
    before, after = result.site_auc
    assert before > 0.9 and after < 0.65
    assert validate(rows, shifted, how=Preparation((6,))).site_auc is None
    aucs = {
        combat: point(found, next(c for c in found.configurations if c.block == "fused"))
        for combat, found in ((True, result), (False, validate(rows, shifted, how=Preparation((6,)))))
    }
    assert aucs[True] > aucs[False] - 0.05


def test_ipcw_lets_the_followed_speak_for_the_censored(easy):
    rows, _ = easy
    plain, weighted = (validate(*easy, endpoint=replace(BINARY, censored=how)) for how in ("exclude", "ipcw"))
    assert (plain.truth.weights == 1).all()
    known = weighted.truth.classes >= 0
    assert weighted.truth.weights[known].min() == 1 < weighted.truth.weights[known].max()
    assert abs(weighted.truth.weights[known].sum() / len(rows.time) - 1) < 0.1  # they stand for everybody
    values = [[s.value for s in score(r, r.endpoint, 20) if s.metric == "accuracy"] for r in (plain, weighted)]
    assert values[0] != values[1]


def test_a_frozen_pipeline_meets_another_cohort(easy):
    rows, values = easy
    other, other_values = cohort(80, seed=9)
    other = replace(other, case_ids=tuple(f"o{i}" for i in range(80)), patient_ids=tuple(f"o{i}" for i in range(80)))
    both = rows.and_others(other)

    def predicted(of_others):
        features = table(both, np.vstack([values, of_others]))
        return external_validation(rows, other, ("age",), features, (Logistic(), Cox()), BINARY, horizons_days=(200,))

    result = predicted(other_values)
    assert result.truth.case_ids == other.case_ids and len(result.cuts) == 1
    lines = {(s.head, s.block, s.metric): s for s in score(result, BINARY, 100)}
    assert lines["cox", "fused", "auc"].value > 0.75 and lines["cox", "fused", "c_index"].n == 80
    disturbed = other_values.copy()
    disturbed[3] *= 100
    again = predicted(disturbed)
    same = np.arange(80) != 3
    for one, two in zip(result.configurations, again.configurations, strict=True):
        assert one.table.risk[same].tobytes() == two.table.risk[same].tobytes()
    with pytest.raises(DataError, match="both"):
        external_validation(rows, rows, ("age",), None, (Logistic(),), BINARY)


def test_same_seed_same_result_and_order_of_heads_is_free(easy):
    one = validate(*easy, heads=(Logistic(), Cox()), seed=4)
    two = validate(*easy, heads=(Cox(), Logistic()), seed=4)
    tables = {(c.head, c.block): c.table.risk.tobytes() for c in two.configurations}
    assert all(tables[c.head, c.block] == c.table.risk.tobytes() for c in one.configurations)


def test_scores_carry_interval_n_and_the_difference_to_age(fused):
    lines = {(s.head, s.block, s.metric): s for s in score(fused, BINARY, replicates=300)}
    majority = lines["majority", "none", "auc"]
    assert (majority.value, majority.low, majority.high) == (0.5, 0.5, 0.5)
    age = lines["logistic", "age", "auc"]
    assert age.delta_to_age == age.delta_low == age.delta_high == 0
    best = lines["logistic", "fused", "auc"]
    assert best.low < best.value < best.high and best.delta_low > 0
    assert best.delta_to_age == pytest.approx(best.value - age.value)
    assert best.n == 150 - fused.undetermined and lines["logistic", "fused", "c_index"].n == 150
    configuration = fused.configurations[named(fused).index(("logistic", "fused"))]
    by_hand = np.mean([METRICS["auc"](sample)[0] for sample in samples_of(fused, configuration)])
    assert best.value == pytest.approx(by_hand)
    assert lines["logistic", "fused", "spearman"].value > 0.3
    assert {s.metric for s in score(validate(*cohort(60), endpoint=OS, heads=()), OS, 50)} == {
        "c_index",
        "c_uno",
        "spearman",
    }
    with pytest.raises(ConfigError):
        score(fused, OS)


def test_bca_intervals_are_asked_for_by_name(fused):
    plain, corrected = ({(s.head, s.block, s.metric): s for s in score(fused, BINARY, 300, 0, kind)}
                        for kind in ("percentile", "bca"))  # fmt: skip
    for key in (("logistic", "fused", "auc"), ("cox", "fused", "c_index")):
        one, two = plain[key], corrected[key]
        assert one.value == two.value and two.low < two.value < two.high
        assert (one.low, one.high) != (two.low, two.high) and abs(one.low - two.low) < 0.05
        assert two.delta_low < two.delta_to_age < two.delta_high
    with pytest.raises(ConfigError, match="percentile or bca"):
        score(fused, BINARY, 50, 0, "wald")


def test_patients_are_drawn_whole():
    rows, values = cohort(60)
    doubled = replace(rows, patient_ids=tuple(f"p{i // 2}" for i in range(60)))
    patients = tuple(dict.fromkeys(doubled.patient_ids))
    folds = replace(folds_of(rows), patients=patients, time=rows.time[::2])
    result = validate(doubled, values, folds=folds, heads=())
    line = next(s for s in score(result, BINARY, 100) if s.metric == "c_index" and s.block == "age")
    assert line.n == 30


def test_strict_refuses_an_encoder_that_knew_test_patients(easy):
    rows, values = easy
    knowing = table(rows, values, encoder_patients=list(rows.patient_ids))
    arguments = (rows, ("age",), lambda repeat, fold: knowing, [Logistic()], BINARY, folds_of(rows))
    with pytest.raises(IntegrityError, match="30 of 30 test patients"):
        nested_validation(*arguments)
    result = nested_validation(*arguments, leak_policy="paper_like")
    assert result.seen_by_encoder == 150 and result.leak_policy == "paper_like"


def test_unusable_requests_are_named(easy):
    with pytest.raises(ConfigError, match="twice"):
        validate(*easy, heads=(Logistic(), Logistic()))
    with pytest.raises(ConfigError, match="logistic"):
        validate(*easy, heads=(Logistic(),), endpoint=OS)
    with pytest.raises(ConfigError):
        validate(*easy, inner_folds=1)
    with pytest.raises(ConfigError, match="head mlp: no hyperparameter setting"):
        validate(*easy, heads=(MLP(weight_decay=()),))
    with pytest.raises(DataError, match="one class"):
        validate(*easy, endpoint=Endpoint("never", cuts_days=(30000,)))


def test_progress_is_told(easy):
    told = []
    validate(*easy, progress=lambda *step: told.append(step))
    assert told == [("logistic", 0, 2), ("logistic", 1, 2)]
