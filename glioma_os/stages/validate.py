"""stage=validate: an arm fitted on train=… and put to test=… once; train=[a,b,…] holds out each cohort in turn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from glioma_os.config.component import Component
from glioma_os.errors import ConfigError
from glioma_os.pipeline.arm import Arm
from glioma_os.pipeline.external import CALIBRATION, DRIFT, ValidateExternally
from glioma_os.pipeline.leave_one_out import SummarizeCohorts, leading_and_age
from glioma_os.pipeline.workspace import Workspace
from glioma_os.reporting.estimates import recalibration_text
from glioma_os.reporting.report import METRIC_NAMES
from glioma_os.reporting.result_files import SCORES, read_rows, read_scores
from glioma_os.reporting.tables import bracket, headline, lead_score, warnings
from glioma_os.stages.assemble import component_of, external_arm_of, options_of, workspace_of
from glioma_os.stages.scores import print_scores
from glioma_os.survival.calibration import Recalibration
from glioma_os.training.progress import say
from glioma_os.training.run import Run


def main(cfg: DictConfig) -> dict[str, Path]:
    """Prints who was left out, how the cohorts differ, the scores, and what recalibration would give."""
    workspace, voxels = workspace_of(cfg), options_of(cfg, "audit").voxels
    arm = external_arm_of(cfg, workspace)
    if cfg.cohorts:
        cohorts = {str(name): component_of(cfg, f"cohorts.{name}") for name in cfg.cohorts}
        return _leave_one_out(workspace, arm, cohorts, voxels)
    if cfg.other is None:
        raise ConfigError("test", "no second cohort found → one expected", "Set train=brats_table test=upenn")
    test = component_of(cfg, "other")
    run = ValidateExternally.of(workspace, arm, [arm.cohort], test, voxels).run(workspace)
    s, scores = run.read_json("summary.json"), read_scores(run.path(SCORES))
    say(f"Trained on {s['train']}, {s['train_patients']} patients; {s['shared_left_out']} patients shared with "
        f"{s['test']} excluded")  # fmt: skip
    if s["feature_source"] == "latents":
        say(f"{s['pretraining_exposed']} of {s['test_patients']} test patients were seen by the encoder's pre-training")
    print_scores(
        scores,
        f"{s['test']}, {arm.endpoint.name}: {s['test_patients']} patients, {s['test_deaths']} deaths, "
        f"class not evaluable in {s['undetermined']:g}; predicted once, 95 % patient bootstrap",
    )
    lead = lead_score(scores)
    _print_headline(run)
    _print_drift(run)
    _print_calibration(run, s["recalibrated"], [[lead.head, lead.block], s["age"]])
    say(f"{run.folder}")
    return {arm.name: run.folder}


def _leave_one_out(workspace: Workspace, arm: Arm, cohorts: dict[str, Component], voxels: bool) -> dict[str, Path]:
    """Every cohort as the test cohort once, each with its headline and warnings, then the random-effects summary."""
    if len(cohorts) < 2:
        raise ConfigError("train", f"{list(cohorts)} found → two or more cohorts expected", "Set train=[a,b,c]")
    runs: dict[str, Run] = {}
    for name, test in cohorts.items():
        say(f"── {name} held out")
        train = [component for other, component in cohorts.items() if other != name]
        runs[name] = ValidateExternally.of(workspace, arm, train, test, voxels).run(workspace)
        lead, age = leading_and_age(runs[name])
        _print_headline(runs[name])
        say(f"{METRIC_NAMES[lead.metric]} {lead.value:.3f} {bracket(lead.low, lead.high)}, age alone {age.value:.3f} "
            f"{bracket(age.low, age.high)}, n = {lead.n}")  # fmt: skip
    summary = SummarizeCohorts(arm.seed, runs).run(workspace)
    for row, values in summary.read_json("summary.json").items():
        if row in ("model", "age"):
            say(_sentence(row, values))
    say(f"{summary.folder}")
    return {"summary": summary.folder, **{name: run.folder for name, run in runs.items()}}


def _print_headline(run: Run) -> None:
    """Prints the headline, and what a reader must know of this external validation."""
    summary, lead = run.read_json("summary.json"), lead_score(read_scores(run.path(SCORES)))
    say(headline(lead, summary["age"], summary))
    texts = [*warnings(summary, lead), *summary["clinical_drift"]]
    suspected, by_chance = summary["suspected_shared"], summary["suspected_by_chance"]
    if suspected > by_chance:
        texts.append(
            f"{suspected} further pairs of training and test patients may be the same person (age within a year and "
            f"the same days; {by_chance:g} expected by chance); they are not excluded. stage=audit lists them"
        )
    if summary["without_features"]:
        texts.append(f"{summary['without_features']} test patients have no features")
    for text in texts:
        say(f"Warning: {text}")


def _print_drift(run: Run) -> None:
    say("Differences between the cohorts (mean in training → in test, in standard deviations)")
    for line in read_rows(run.path(DRIFT)):
        if line["verdict"] == "not recorded":
            say(f"  {line['name']:<22}not recorded in at least one of them")
            continue
        sd = float(line["difference_sd"])
        gap = "" if sd != sd else f"  {sd:+.2f}"
        means = f"{float(line['known']):9.2f} → {float(line['others']):9.2f}"
        say(f"  {line['name']:<22}{means}{gap}  {line['verdict']}")


def _print_calibration(run: Run, updated: dict[str, float], shown: list[list[str]]) -> None:
    """Of the leading row and of age alone; calibration.csv has every row."""
    rows = [row for row in read_rows(run.path(CALIBRATION)) if [row["head"], row["block"]] in shown]
    fits = [row for row in rows if row["intercept"] != "nan"]
    if fits:
        say("Calibration of the shorter class")
    for row in fits:
        fit = Recalibration(float(row["intercept"]), float(row["slope"]))
        say(f"  {row['head']:<16}{row['block']:<11}{recalibration_text(fit)}")
    for name, title in (("brier", "Brier score"), ("ibs", "integrated Brier score")):
        before, after = updated[f"{name}_before"], updated[f"{name}_after"]
        if before == before:
            say(f"Recalibrated in the new cohort (cross-fitted), {title} {before:.3f} → {after:.3f}")


def _sentence(row: str, v: dict[str, Any]) -> str:
    title = "Age alone" if row == "age" else f"Leading model of each cohort ({'; '.join(v['rows'])})"
    ahead = (
        f"95 % prediction interval for a further cohort {bracket(v['prediction_low'], v['prediction_high'])}"
        if v["prediction_low"] == v["prediction_low"]
        else "two cohorts give no prediction interval"
    )
    few = "; so few cohorts say little of their spread" if v["cohorts"] < 5 else ""
    return (
        f"{title}: {METRIC_NAMES[v['metric']]} {v['mean']:.3f} {bracket(v['low'], v['high'])} over {v['cohorts']} "
        f"cohorts (random effects, Hartung–Knapp); {ahead}{few}"
    )
