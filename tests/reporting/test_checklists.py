"""Checklists and model card say what the run proves, and nothing else."""

import pytest

from glioma_os.reporting.checklists import (
    CLAIM,
    OPEN,
    TRIPOD_AI,
    UNKNOWN,
    checklist_text,
    fill_checklist,
    known_facts,
    model_card,
)

SUMMARY = {
    "validation": {"clinical": "age", "repeats": 2, "folds": 5, "inner_folds": 3, "replicates": 100, "components": [4],
                   "scaling": "standard", "combat": {"enabled": False}},
    "endpoint": {"kind": "classes", "cuts_days": [300], "name": "binary_300"}, "excluded": {"no features": 3},
    "cohort": "made_up", "cases_read": 83, "patients": 80, "deaths": 70, "leak_policy": "strict", "configurations": 9,
    "settings_tried": 30, "undetermined": 2.0, "seen_by_pretraining": 4,
}  # fmt: skip
LATENTS = {**SUMMARY, "feature_source": "latents", "encoder_patients": "known", "seen_by_encoder": 3}
TABLE = {**SUMMARY, "feature_source": "csv", "seen_by_pretraining": 0}
OF_IMAGES = ("mask", "brain", "voxel", "encoder", "latent", "segmenter", "sequences", "leak policy", "pre-training")


def answers(summary, shown=(), channels="t1c, flair"):
    facts = known_facts(summary, "AUC .8", channels, "0.1", shown)
    return {number: answer for number, _, answer in fill_checklist(TRIPOD_AI, facts)}


def everything(summary, channels="t1c, flair"):
    facts = known_facts(summary, "AUC .8", channels, "0.1")
    return checklist_text("Demo", facts) + model_card("Demo", facts, "Not a device")


def test_every_fact_a_checklist_asks_for_is_known_and_the_rest_is_marked():
    facts = known_facts(SUMMARY, "AUC .8", "t1c, flair", "0.1")
    for items in (TRIPOD_AI, CLAIM):
        assert {item.answer for item in items} - {""} <= set(facts)
        assert len({item.number for item in items}) == len(items)
    found = [answer for _, _, answer in fill_checklist(TRIPOD_AI, facts)]
    assert 0 < found.count(OPEN) < len(found) and "AUC .8" in found
    text = checklist_text("Demo", facts)
    assert f"{found.count(OPEN)} of {len(found)} items open" in text and "3 no features" in text
    assert "Not a device" in model_card("Demo", facts, "Not a device")


def test_the_items_are_the_27_of_tripod_ai():
    assert {int("".join(filter(str.isdigit, item.number))) for item in TRIPOD_AI} == set(range(1, 28))
    assert len(TRIPOD_AI) == 52


@pytest.mark.parametrize("source", ["csv", "none", None])
def test_nothing_is_claimed_of_images_that_the_run_did_not_read(source):
    text = everything({**TABLE, "feature_source": source}).lower()
    body = "\n".join(line.split("|")[3] if line.startswith("|") else line for line in text.splitlines())
    assert not [word for word in OF_IMAGES if word in body]


def test_of_latents_it_is_said_what_was_done_to_the_images():
    found = answers(LATENTS)
    assert "z-scored" in found["7"] and "reference masks are not used" in found["9b"]
    assert "t1c, flair" in found["5a"] and "leak policy strict" in found["12a"]
    assert found["12g"].endswith("fine-tuning data: 3 of those evaluated")
    assert answers({**LATENTS, "encoder_patients": "unknown"})["12g"].endswith(UNKNOWN)
    assert "none of those" in answers({**LATENTS, "encoder_patients": "none"})["12g"]


def test_what_is_not_in_the_summary_is_not_known():
    found = answers(SUMMARY)
    for number in ("7", "9b", "12d", "22", "23b", "27a"):
        assert found[number] == UNKNOWN
    assert UNKNOWN in found["9a"] and "criteria" not in found["10"]
    assert "Riley's sample-size criteria" in answers(SUMMARY, {"Sample size"})["10"]
    assert "criteria" not in answers({**SUMMARY, "patients_per_parameter": {"cox fused": 4.0}})["10"]


def test_a_stored_pipeline_sites_and_clinical_columns_are_named():
    found = answers({
        **TABLE, "frozen_pipeline": "pipelines/cox", "sites": 3, "clinical_used": ["age", "sex"],
        "clinical_dropped": {"kps": "constant"}, "interval_target": "fitted models held fixed",
    })  # fmt: skip
    assert "pipelines/cox" in found["22"] and "pipelines/cox" in found["27a"]
    assert found["12d"].startswith("3 sites") and "3 sites" in found["23b"]
    assert (
        found["9a"] == "Clinical: age, sex (not used: kps (constant)). Features: a feature table supplied by the user"
    )
    assert found["26"].startswith("One cohort; intervals are not corrected")
    assert found["26"].endswith("they cover the fitted models held fixed")
    assert "no clusters" in answers({**TABLE, "sites": 1})["23b"]
    assert "folds of the same cohort" in found["16"] and found["16"] != found["12g"]


def test_a_time_to_event_claims_no_classes():
    found = answers({**TABLE, "endpoint": {"kind": "time", "name": "os"}})
    assert "class" not in found["15"] + found["21"] and "AUC, F1" not in found["12e"]
    assert "No classes" in found["13"] and "time to death" in found["8a"]


def test_measures_are_those_of_the_endpoint_and_of_what_the_report_shows():
    both = {"Calibration", "decision"}
    assert "calibration, net benefit" in answers(TABLE, both)["12e"] and "dynamic AUC" not in answers(TABLE)["12e"]
    assert "calibration" not in answers(TABLE)["12e"] and "net benefit" not in answers(TABLE)["12e"]
    time = {**TABLE, "endpoint": {"kind": "time", "name": "os"}}
    with_days = {**time, "validation": {**SUMMARY["validation"], "horizons_days": [365]}}
    assert "net benefit" in answers(with_days, both)["12e"] and "[365]" in answers(with_days)["15"]
    assert "net benefit" not in answers(with_days)["12e"]
    quantiles = {"kind": "classes", "quantiles": [0.5], "name": "median"}
    found = answers({**TABLE, "endpoint": quantiles, "median_cuts_days": [374.0]})
    assert "quantiles [0.5], median over folds [374.0] days" in found["8a"]
