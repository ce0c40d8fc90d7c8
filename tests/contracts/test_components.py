"""Every cohort, endpoint, feature source and tracker of conf/, found and driven through the cheapest real path.

Networks, poolings and transfer policies: test_networks.py. Heads: test_heads.py.
"""

import math

import numpy as np
import pytest

from glioma_os.cohorts.overlap import repeated_patients
from glioma_os.config.registry import load_target
from glioma_os.errors import EnvironmentFault
from glioma_os.fusion.heads.cox import Cox
from glioma_os.fusion.heads.logistic import Logistic
from glioma_os.fusion.rows import Rows
from glioma_os.fusion.scores import score
from glioma_os.fusion.validation import nested_validation
from glioma_os.pipeline.features.contract import FeatureSource
from glioma_os.pipeline.trackers import Tracker
from glioma_os.records import Modality
from glioma_os.survival.endpoints import classes
from glioma_os.training.run import Run
from tests.cohorts.test_upenn_ucsf import UCSF, UPENN
from tests.contracts.test_conf import CONF, build, configuration
from tests.fusion.doubles import cohort as drawn_rows
from tests.fusion.doubles import folds_of
from tests.pipeline.composed import Composed

TABLE = "patient_id,age,os_days,event\nA,60,300,1\nB,70,200,0\nC,50,500,1\n"
BRATS_TABLE = "Brats20ID,Age,Survival_days,Extent_of_Resection\n" + "".join(
    f"BraTS20_Training_{k:03d},{50 + k},{100 + 9 * k},GTR\n" for k in range(1, 31)
)
TEXTS = {"table": TABLE, "brats_table": BRATS_TABLE, "upenn": UPENN, "ucsf": UCSF}


def options(group):
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


@pytest.fixture
def sample(tmp_path, cohorts):
    """What a cohort of conf/ is pointed at: a new cohort needs a line here, or a table of its own above."""

    def make(option):
        if option in TEXTS:
            (tmp_path / "t.csv").write_text(TEXTS[option])
            return [f"cohort.table={tmp_path / 't.csv'}"]
        if option.startswith("synthetic"):
            return [f"paths.root={tmp_path}", "synthetic.patients=4", "synthetic.spacing_mm=8"]
        if option == "besta":
            return [f"cohort.table={cohorts['besta'].table}", "channels=[t1c,flair]"]
        return [f"cohort.root={cohorts[option if option != 'brats' else 'brats2020'].root}"]

    return make


@pytest.mark.parametrize("option", options("cohort"))
def test_a_cohort_reads_cases_that_every_step_can_use(option, sample):
    words = [f"cohort={option}", *sample(option)]
    cohort, again = (build(configuration(*words).cohort, "cohort") for _ in range(2))
    cases = cohort.cases()
    ids = [case.case_id for case in cases]
    assert cases and ids == sorted(set(ids)) and cohort.cases() is cases
    assert all(case.cohort == cohort.name and case.patient_id for case in cases)
    assert set(cohort.aliases()) >= {case.patient_id for case in cases}
    assert all(who in names for who, names in cohort.aliases().items())
    assert set(cohort.modalities) <= set(Modality)
    assert all(set(case.images) >= set(cohort.modalities) for case in cases)
    assert all(case.label is None or cohort.label_coding for case in cases)
    outcomes = [case.outcome for case in cases if case.outcome]
    assert all(0 < outcome.time_days < 20_000 and isinstance(outcome.event, bool) for outcome in outcomes)
    assert all(reason for _, reason in cohort.excluded()) and not set(ids) & {one for one, _ in cohort.excluded()}
    assert cohort.fingerprint() == again.fingerprint() and not repeated_patients(cohort)


@pytest.mark.parametrize("option", options("endpoint"))
def test_an_endpoint_is_validated_to_scores(option):
    endpoint = build(configuration(f"endpoint={option}").endpoint, "endpoint")
    rows, _ = drawn_rows(60, 0)
    folds = folds_of(rows, 3)
    cuts = endpoint.fit_cuts(rows.time, rows.event)
    assert len(cuts) == max(0, endpoint.n_classes - 1) and np.all(np.diff(cuts) > 0)
    if endpoint.n_classes:
        assert set(classes(rows.time, rows.event, cuts)) <= {-1, *range(endpoint.n_classes)}
    head = Logistic() if endpoint.kind == "classes" else Cox()
    result = nested_validation(rows, ("age",), None, [head], endpoint, folds, 2, horizons_days=(200, 400), seed=1)
    scores = score(result, endpoint, 50, 1)
    metric = "auc" if endpoint.n_classes else "c_index"
    (own,) = [line for line in scores if (line.head, line.block, line.metric) == (head.name, "age", metric)]
    assert own.low <= own.value <= own.high and 0 < own.n <= len(rows.case_ids) and math.isfinite(own.delta_to_age)


@pytest.mark.parametrize("option", options("features"))
def test_a_feature_source_answers_what_the_steps_ask(option, tmp_path):
    (tmp_path / "f.csv").write_text(
        "case_id,a\n" + "".join(f"BraTS20_Training_{k:03d},{k % 7}\n" for k in range(1, 99))
    )
    words = ["cohort=synthetic_brats2020", f"features={option}", f"paths.root={tmp_path}", "synthetic.patients=12",
             "synthetic.spacing_mm=8", "network.init_filters=8", "pretraining.source=none", "validation.folds=2",
             "validation.repeats=1", "network.blocks_down=[1,1,1]", "network.blocks_up=[1,1]"]  # fmt: skip
    if option == "csv":
        words += [f"features.path={tmp_path / 'f.csv'}", "features.encoder_patients=none"]
    study = Composed(*words)
    source = study.arm.features
    assert isinstance(source, FeatureSource) and source.kind and source.way and isinstance(source.reads, str)
    study.check()
    found = study.arm.find_features(study.workspace, study.subjects)
    if found.of_fold is None:
        assert option == "none" and source.apply(study.workspace, study.arm.cohort, None) is None
        return
    ids = [case.case_id for case in study.subjects.cases]
    for fold in range(2):
        table = found.of_fold(0, fold)
        rows = table.rows(ids)
        assert rows.shape == (len(ids), len(table.names)) and np.isfinite(rows).all()
        trained = table.provenance["encoder_patients"]
        assert trained is not None and not set(trained) & set(study.subjects.folds.test(0, fold))
    assert Rows.from_cases(study.subjects.cases).case_ids == tuple(ids)


def test_feature_sources_have_names_of_their_own():
    kinds = [load_target(configuration(f"features={o}", *(["features.path=x"] if o == "csv" else [])).features._target_,
                         "features").kind for o in options("features")]  # fmt: skip
    assert len(set(kinds)) == len(kinds)


@pytest.mark.parametrize("option", options("logger"))
def test_a_tracker_takes_curves_and_a_page_that_fails_stops_nothing(option, tmp_path):
    words = [f"logger={option}", "features=none", "cohort=table", "cohort.table=x.csv", f"paths.root={tmp_path}"]
    workspace = Composed(*words).workspace
    tracker, run = workspace.tracker, Run(tmp_path, "survival", "name", {}, 1)
    assert isinstance(tracker, Tracker) and tracker.project == "glioma_os"
    run.folder.mkdir(parents=True)
    try:
        loggers = tracker.loggers(workspace.title, run)
    except EnvironmentFault as fault:  # of an optional package
        assert "pip install" in fault.remedy
        return
    for logger in loggers:
        logger.log_metrics({"train/loss": 0.5}, 1)
        logger.finalize("success")
    assert "0.5" in (run.folder / "metrics.csv").read_text()

    def page():
        raise OSError("no disk")

    tracker.publish(workspace.title, run, page, fresh=True)
    assert tracker.owes(tmp_path) in (True, False)
