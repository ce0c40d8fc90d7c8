import base64
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_curve

from glioma_os import NOTICE
from glioma_os.fusion.scores import Score
from glioma_os.reporting import figures
from glioma_os.reporting.predictions import by_exposure, survival_figures
from glioma_os.reporting.published import MARASI_2025
from glioma_os.reporting.report import ArmPage, render
from glioma_os.reporting.tables import InputNames, comparison_rows, facts, headline, lead_score, score_rows, warnings

AGE = ["logistic", "age"]
NAMES = InputNames("age", "images")


TITLES = {"logistic": "logistic regression", "mlp": "MLP", "xgboost": "XGBoost"}


def line(head, block, metric, value, delta=(0.0, 0.0, 0.0)):
    against = ("logistic age", *delta) if block == "fused" else ("", *[float("nan")] * 3)
    numbers = (value, value - 0.1, value + 0.1, 90, *delta, 0)
    return Score(head, block, metric, *numbers, *against, title=TITLES.get(head, ""))


SCORES = [
    line(head, block, metric, value, delta)
    for metric in ("auc", "f1_weighted", "accuracy", "c_index")
    for head, block, value, delta in (
        ("logistic", "age", 0.6, (0, 0, 0)),
        ("mlp", "fused", 0.7, (0.1, 0.02, 0.2)),
        ("xgboost", "fused", 0.65, (0.05, -0.05, 0.15)),
    )
]
SUMMARY = {
    "patients": 40, "leak_policy": "paper_like", "seen_by_encoder": 3, "seen_by_pretraining": 7, "undetermined": 2.0,
    "configurations": 4, "settings_tried": 9, "patients_per_parameter": {"mlp fused": 5.5},
    "endpoint": {"name": "binary_median", "kind": "classes", "cuts_days": None, "quantiles": [0.5]},
    "feature_source": "latents", "clinical_used": ["age"], "feature_weights": [0.0, 0.5],
    "validation": {"repeats": 2, "folds": 5, "inner_folds": 3, "replicates": 2000, "clinical": "age"},
}  # fmt: skip


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    rows = []
    for head, block in (("logistic", "age"), ("mlp", "fused")):
        for k in range(60):
            risk = rng.random()
            rows.append([head, block, f"c{k:02d}", f"p{k:02d}", 0, k % 3, 100 + 900 * rng.random() * (1.3 - risk),
                         int(k % 9 > 0), k % 2, risk, risk, 1 - risk])  # fmt: skip
    names = ["head", "block", "case_id", "patient_id", "repeat", "fold", "time_days", "event", "class", "risk",
             "p_class_0", "p_class_1"]  # fmt: skip
    return pd.DataFrame(rows, columns=names)


def test_the_lead_score_row_is_found_and_said_with_its_difference():
    best = lead_score(SCORES)
    assert (best.head, best.value) == ("mlp", 0.7)
    text = headline(best, AGE, SUMMARY)
    assert "AUC 0.70 [0.60, 0.80], n = 90: MLP on images + age" in text and "+0.100 [+0.020, +0.200]" in text
    assert "the images improve on age" in text
    weak = next(s for s in SCORES if s.head == "xgboost")
    assert "no gain from the images was shown" in headline(weak, AGE, SUMMARY)
    assert "worse with the images" in headline(replace(weak, reference_high=-0.01), AGE, SUMMARY)
    assert lead_score([s for s in SCORES if s.block == "age"]).block == "age"


def test_the_headline_compares_with_the_same_clinical_variables():
    summary = {**SUMMARY, "feature_source": "csv", "clinical_used": ["age", "eor"]}
    best = replace(
        lead_score(SCORES), reference="mlp clinical", delta_to_reference=0.001, reference_low=-0.005,
        reference_high=0.006,
    )  # fmt: skip
    text = headline(best, AGE, summary)
    assert "Difference from the same model on age, extent of resection alone +0.001 [-0.005, +0.006]: no gain" in text
    assert "on features + age, extent of resection." in text and "images" not in text and "improve on" not in text
    assert "Difference from age alone +0.100 [+0.020, +0.200]." in text


def test_the_papers_head_is_compared_not_the_best_one():
    rows = comparison_rows("Besta2CH", SCORES, AGE)
    assert [(r.metric, r.published, r.obtained) for r in rows] == [
        ("F1 (weighted)", "0.65 (XGBoost)", "0.65"),
        ("AUC", "0.70 (MLP)", "0.70"),
        ("Accuracy", "0.66 (XGBoost)", "0.65"),
    ]
    assert all(row.interval.startswith("[") and row.n == 90 and row.difference for row in rows)
    assert comparison_rows("Elsewhere", SCORES, AGE) == []
    assert set(MARASI_2025) == {"BraTS4CH", "BraTS2CH", "Besta2CH"}


def test_every_row_has_a_difference_and_the_reference_is_named():
    metrics, rows = score_rows(SCORES, AGE, lead_score(SCORES), NAMES)
    assert metrics == ("auc", "f1_weighted", "accuracy", "c_index")
    assert rows[0].cells[-1] == ("reference", "")
    assert [row.emphasis for row in rows] == [False, True, False]
    assert rows[1].cells[-1] == ("+0.100", "[+0.020, +0.200]") and len(rows[1].cells) == len(metrics) + 1
    assert all(re.fullmatch(r"\[-?\d\.\d\d, -?\d\.\d\d\]", cell[1]) for row in rows for cell in row.cells[:-1])
    more = [*SCORES, *(replace(s, block="clinical") for s in SCORES if s.block == "age")]
    assert all(len(row.cells) == len(metrics) + 2 for row in score_rows(more, AGE, lead_score(more), NAMES)[1])


def test_facts_and_warnings_say_what_a_reviewer_asks():
    text = " ".join(f"{term}: {value}" for term, value in facts(SUMMARY, lead_score(SCORES), "seen: C 0.6"))
    for words in (
        "not evaluable in 2 patients",
        "same outer fold",
        "zero in 1 of 2 fits",
        "2 × 5 outer folds",
        "paper_like",
        "encoder's fine-tuning data: 3",
        "7 of 40",
        "9 hyperparameter settings",
    ):
        assert words in text
    assert "By exposure" in text and "5.5" in text
    assert len(warnings(SUMMARY)) == 3 and not warnings(
        {**SUMMARY, "patients": 200, "leak_policy": "strict", "seen_by_encoder": 0}
    )


def whole(svg):
    return svg.startswith("<svg") and svg.rstrip().endswith("</svg>")


def test_figures_are_whole_and_the_same_twice(frame):
    best = lead_score(SCORES)
    drawn = survival_figures(frame, SCORES, best, AGE, NAMES)
    assert list(drawn) == ["km", "roc", "calibration", "decision"] and all(map(whole, drawn.values()))
    assert drawn == survival_figures(frame, SCORES, best, AGE, NAMES)
    rows = [("a", 0.6, 0.5, 0.7, True)]
    assert figures.forest(rows, "t", "AUC", 0.5).startswith("<svg")
    assert figures.dice_boxes({"wt": np.array([0.5, 0.9])}, "t").startswith("<svg")
    own = frame[frame["head"] == "mlp"]
    x, y, _ = roc_curve(own["class"] == 0, own["risk"])
    assert figures.roc([("mlp", x, y, "AUC", figures.BLUE)], "t").startswith("<svg")


def test_separated_constant_and_one_class_predictions_are_drawn(frame):
    best = lead_score(SCORES)
    sure = frame["class"].map({0: 0.9, 1: 0.1})
    for p, risk in ((sure, sure), (0.5, 0.0)):
        other = frame.assign(p_class_0=p, p_class_1=1 - p, risk=risk)
        drawn = survival_figures(other, SCORES, best, AGE, NAMES)
        assert len(drawn) == 4 and all(map(whole, drawn.values()))
    assert list(survival_figures(frame.assign(**{"class": 0}), SCORES, best, AGE, NAMES)) == ["km"]


def test_a_time_to_event_is_drawn_at_its_horizon(frame, monkeypatch):
    texts = {}
    keep = figures.calibration
    monkeypatch.setattr(figures, "calibration", lambda *a, **k: texts.update(calibration=a) or keep(*a, **k))
    times = frame.drop(columns=["p_class_0", "p_class_1"]).assign(**{"class": -1})
    times = times.assign(alive_180=0.8 - 0.3 * times["risk"], alive_365=0.6 - 0.4 * times["risk"])
    scores = [replace(s, metric="c_index") for s in SCORES if s.metric == "auc"]
    best = lead_score(scores)
    drawn = survival_figures(times, scores, best, AGE, NAMES)
    assert list(drawn) == ["km", "calibration", "decision"] and all(map(whole, drawn.values()))
    _, text, title, outcome, curve = texts["calibration"]
    assert "365 days" in title and outcome == "death by day 365" and "O:E" in text
    assert np.all(curve.low <= curve.high)
    for without in (times.drop(columns=["alive_180", "alive_365"]), times.assign(event=0)):
        assert list(survival_figures(without, scores, best, AGE, NAMES)) == ["km"]


def test_the_groups_drawn_and_the_roc_do_not_depend_on_the_scale_of_a_fold(frame):
    best = lead_score(SCORES)
    moved = frame.assign(risk=np.where(frame["fold"] == 1, 50 + 3 * frame["risk"], frame["risk"]))
    drawn, other = (survival_figures(f, SCORES, best, AGE, NAMES) for f in (frame, moved))
    assert drawn["km"] == other["km"] and drawn["roc"] == other["roc"]


def test_instability_prints_its_error():
    rng = np.random.default_rng(0)
    original = rng.random(30)
    bootstrap = np.clip(original + rng.normal(0, 0.1, (20, 30)), 0, 1)
    assert whole(figures.instability(original, bootstrap, "Prediction instability"))


def test_overlays_are_pictures():
    planes = np.zeros((3, 30, 40), np.uint8)
    planes[0, 5:25, 5:35] = 100
    planes[1, 10:15, 10:20] = 7
    uri = figures.overlay(planes)
    assert base64.b64decode(uri.split(",")[1]).startswith(b"\x89PNG")


def test_exposure_is_told_apart(frame):
    best = lead_score(SCORES)
    text = by_exposure(frame, best, [f"p{k:02d}" for k in range(30)], 0)
    assert (
        text.count("n = 30") == 2 and "; not in pre-training: AUC" in text and text.startswith("in pre-training: AUC")
    )
    assert text.count("Accuracy") == text.count("C-index") == 2
    assert "too few" in by_exposure(frame, best, ["p00"], 0) and by_exposure(frame, best, [], 0) is None


def test_the_page_escapes_and_carries_the_notice():
    page = ArmPage(
        name="<script>",
        subtitle="s",
        headline="h",
        flow=[("cases", 3)],
        metrics=("auc",),
        scores=[],
        facts=[],
        groups=[],
    )
    html = render("T", "lead", [], [page], [("Seed", "7")], "now")
    assert "<script>" not in html and "&lt;script&gt;" in html and html.count(NOTICE) == 2
