"""One configuration's objects, built once: cohorts, store, data modules, and the survival cohort's folds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from hydra import compose
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from glioma_os.cohorts.cohort import Cohort
from glioma_os.cohorts.overlap import shared_scans
from glioma_os.cohorts.splits import Folds, make_folds
from glioma_os.data.prepared import PreparedCohort
from glioma_os.errors import ConfigError, DataError
from glioma_os.fusion.folds import seen_by_encoder
from glioma_os.networks.fast.memory_retention import retain_freed_memory
from glioma_os.records import Case, Extent, FeatureTable
from glioma_os.stages import recipes
from glioma_os.stages.build import build, command_words, plain, plain_groups
from glioma_os.stages.checks import check_horizons
from glioma_os.training.progress import say, track
from glioma_os.training.run import Run, digest
from glioma_os.volumes.atomic import sweep_drafts
from glioma_os.volumes.checks import refuse_errors
from glioma_os.volumes.prepare import Recipe
from glioma_os.volumes.store import VolumeStore

READ_WHOLE = ("report", "validate", "apply", "collect")  # stages that compare every byte of the runs they read


class Setting:
    """Everything the stages of one configuration share. Nothing heavy is built before it is asked for."""

    def __init__(self, cfg: DictConfig, name: str | None = None) -> None:
        self.cfg = cfg
        self.name = name or cfg.name

    def cohort(self, key: str = "cohort") -> Cohort:
        """The cohort at that key of the configuration, built once."""
        if key not in self._cohorts:
            node: Any = self.cfg
            for part in key.split("."):
                node = node[part]
            extra = {"progress": track} if "synthetic" in str(node.get("_target_")) else {}
            self._cohorts[key] = build(node, key, **extra)
        return self._cohorts[key]

    @cached_property
    def _cohorts(self) -> dict[str, Cohort]:
        return {}

    @cached_property
    def store(self) -> VolumeStore:
        """Prepared volumes."""
        return VolumeStore(self.cfg.paths.store)

    @cached_property
    def options(self) -> Any:
        """Trainer options; from here on this process keeps its pages where they say so."""
        options = build(self.cfg.trainer, "trainer")
        if options.keep_pages:
            retain_freed_memory()
        return options

    @cached_property
    def policy(self) -> Any:
        """What fine-tuning may change."""
        return build(self.cfg.transfer, "transfer")

    def check(self) -> None:
        """Builds what is cheap, so that a wrong word is told before hours of work, not after."""
        _ = self.folds, self.heads
        self._check_horizons()
        if self.cfg.features.kind == "csv":
            _ = self.feature_csv
        if self.cfg.features.kind == "latents":
            from glioma_os.networks.pooling import pooling

            pooling(self.cfg.features.pooling)
            _ = self.policy, self.options
            self._check_images()

    def _check_horizons(self) -> None:
        """A horizon beyond the last follow-up is told; horizons that all are, are a ConfigError."""
        last = max(case.outcome.time_days for case in self.survivors[0] if case.outcome)
        if beyond := check_horizons(plain(self.cfg.validation)["horizons_days"] or (), last):
            days = ", ".join(f"{day:g}" for day in beyond)
            say(f"validation.horizons_days: beyond the last follow-up ({last:g} days) and left out: {days}")

    def _check_images(self) -> None:
        """Latents need images, and fine-tuning on the survival cohort needs masks."""
        cohort = self.cohort()
        if not any(case.images for case in cohort.cases()):
            raise ConfigError(
                "features.kind", f"latents of {cohort.name}, a cohort without images, found → csv or none expected",
                "Set features=csv features.path=FILE, or features=none",
            )  # fmt: skip
        if self.cfg.finetuning["from"] == "own" and not any(case.label for case in cohort.cases()):
            raise ConfigError(
                "finetuning.from", f"own found, but {cohort.name} has no mask → cohort or none expected",
                "Set finetuning.from=cohort to fine-tune on a cohort with masks, or none",
            )  # fmt: skip

    @cached_property
    def endpoint(self) -> Any:
        """What is predicted."""
        return build(self.cfg.endpoint, "endpoint")

    @cached_property
    def heads(self) -> dict[str, Any]:
        """Who predicts: those that serve the endpoint. None left is a ConfigError."""
        chosen = {
            name: node for name, node in self.cfg.head.items() if "_target_" in node
        }  # others: a preset's options
        asked = {name: build(node, f"head.{name}") for name, node in chosen.items()}
        served = {name: head for name, head in asked.items() if self.endpoint.kind in head.kinds}
        if not served:
            name, head = next(iter(asked.items()))
            raise ConfigError(
                f"head={name}",
                f"endpoint {self.endpoint.name} of kind {self.endpoint.kind} found → {sorted(head.kinds)} expected",
                "Choose another head or endpoint",
            )
        return served

    @cached_property
    def channels(self) -> tuple[str, ...]:
        """The segmenter's channels, in the network's order."""
        return tuple(plain(self.cfg.channels))

    def run(self, stage: str, key: dict[str, Any], name: str | None = None) -> Run:
        """The run directory of what `key` says."""
        whole = str(self.cfg.stage._target_).split(".")[-2] in READ_WHOLE
        return Run(Path(self.cfg.paths.runs), stage, name or self.cfg.name, key, int(self.cfg.seed), whole)

    def prepared(self, cohort: Cohort, channels: tuple[str, ...]) -> PreparedCohort:
        """That cohort in the store, prepared under a progress bar where there is something to do."""
        recipe = Recipe(channels, cohort.label_coding, self.cfg.prepare.spacing_mm)
        found = PreparedCohort(cohort, self.store, recipe)
        waiting = found.waiting()
        if waiting:
            refuse_errors(shared_scans(cohort))
            sweep_drafts(self.store.root)
            for case in track(waiting, len(waiting), f"Preparing {cohort.name}"):
                self.store.prepare(case, recipe)
        return found

    def data(self, cohort: Cohort, channels: tuple[str, ...], schedule: DictConfig, **split: Any) -> Any:
        """A DataModule over that cohort, to be fitted on."""
        patch = plain(schedule).get("patch") or plain(self.cfg.network).get("normalization_volume")
        return build(
            self.cfg.data, "data", cohort=cohort, store=self.store, channels=channels, seed=int(self.cfg.seed),
            spacing_mm=self.cfg.prepare.spacing_mm, patch=patch,
            batch_size=int(schedule.batch_size), augmentation=build(schedule.augmentation, "schedule.augmentation"),
            **split,
        )  # fmt: skip

    @cached_property
    def feature_file(self) -> FeatureTable:
        """The table of features=csv as it was read, whatever its columns are."""
        from glioma_os.stages.feature_tables import read_table

        return read_table(self.cfg, [self.cohort(key) for key in self.study_keys])

    @cached_property
    def feature_csv(self) -> FeatureTable:
        """The same, if no column gives the outcome away and the encoder's training patients are as the policy asks."""
        from glioma_os.stages.feature_tables import checked

        held = set(self.feature_file.case_ids)
        first, *others = self.study_keys
        featured = [key for key in others if any(case.case_id in held for case in self.cohort(key).cases())]
        studies = [self.eligible(self.cohort(key))[0] for key in (first, *featured)]
        table = checked(self.feature_file, studies, plain(self.cfg.features)["drop"])
        tested = {case.patient_id for cases in studies[-1:] for case in cases}
        seen_by_encoder(table, tested, "features", self.cfg.validation.leak_policy)
        return table

    @property
    def study_keys(self) -> list[str]:
        """Where the configuration holds the cohorts of this study: the training cohort first, a test cohort last."""
        several = [f"cohorts.{name}" for name in plain(self.cfg.cohorts)]
        return several or ["cohort", *(["other"] if self.cfg.other is not None else [])]

    @cached_property
    def survivors(self) -> tuple[list[Case], dict[str, int]]:
        """Cases whose survival can be predicted, and how many were left out for which reason."""
        return self.eligible(self.cohort())

    def eligible(self, cohort: Cohort) -> tuple[list[Case], dict[str, int]]:
        """The same of any cohort."""
        wanted = plain(self.cfg.eligibility)["resection"]
        unknown = [word for word in wanted or () if word not in set(Extent)]
        if unknown:
            raise ConfigError(
                "eligibility.resection", f"{unknown[0]!r} found → some of {', '.join(Extent)} expected",
                "Correct the value",
            )  # fmt: skip
        extents = None if wanted is None else {Extent(word) for word in wanted}
        dropping = self.cfg.features.kind == "csv" and self.cfg.features.lacking == "drop"
        featured = set(self.feature_file.case_ids) if dropping else set()
        kept: list[Case] = []
        reasons = Counter(reason for _, reason in cohort.excluded())
        for case in cohort.cases():
            reason = ""
            if case.outcome is None:
                reason = "no survival recorded"
            elif extents is not None and case.clinical.extent not in extents:
                reason = f"resection not {' or '.join(sorted(extents))}"
            elif dropping and case.case_id not in featured:
                reason = "no features"
            if reason:
                reasons[reason] += 1
            else:
                kept.append(case)
        if not kept:
            told = ", ".join(f"{count} {reason}" for reason, count in reasons.items()) or "no case at all"
            raise DataError(
                f"cohort {cohort.name}", f"no eligible patient found ({told})", "Check the table and the ids"
            )
        return kept, dict(reasons)

    @property
    def repeats(self) -> int:
        """Repeats of the outer folds. `auto`: one where each repeat fine-tunes its own segmenters, else ten."""
        given = self.cfg.validation.repeats
        if given != "auto":
            return int(given)
        latents = self.cfg.features.kind == "latents"
        own = self.cfg.finetuning["from"] == "own" and self.cfg.validation.leak_policy == "strict"
        return 1 if latents and own else 10

    @cached_property
    def folds(self) -> Folds:
        """Outer folds of the survival cohort: shared by the segmenter's fine-tuning and the heads."""
        cases, _ = self.survivors
        validation = self.cfg.validation
        return make_folds(
            [case.patient_id for case in cases], survival_strata(cases), int(validation.folds),
            self.repeats, int(self.cfg.seed),
        )  # fmt: skip


def survival_strata(cases: list[Case]) -> list[int]:
    """Third of the survival times (0–2), +3 if censored: balances folds, decides nothing else."""
    outcomes = [case.outcome for case in cases if case.outcome is not None]
    ranked = sorted(range(len(cases)), key=lambda i: (outcomes[i].time_days, cases[i].case_id))
    strata = [0] * len(cases)
    for rank, place in enumerate(ranked):
        strata[place] = rank * 3 // len(cases) + (0 if outcomes[place].event else 3)
    return strata


def settings_of(cfg: DictConfig, overrides: Sequence[str] | None = None) -> list[Setting]:
    """One Setting for every entry of `settings`: the command line's configuration with that entry's overrides.

    `overrides`: the command line, where it is not Hydra's current job.
    """
    named = plain(cfg.settings)
    if not named:
        return [Setting(cfg, cfg.setting)]
    own = command_words(HydraConfig.get().overrides.task) if overrides is None else list(overrides)
    out = []
    for name, overrides in named.items():
        if not isinstance(overrides, list):
            raise ConfigError(f"settings.{name}", f"{overrides!r} found → a list of overrides", "Write [key=value, …]")
        out.append(Setting(compose("config", overrides=[*own, *overrides]), name))
    return out


def study_key(cfg: DictConfig, settings: list[Setting]) -> dict[str, Any]:
    """What a study depends on: its configuration and its cohorts' files, without reading a voxel."""
    own = plain_groups(cfg, without=("stage", "paths", "logger", "hydra", "sweep"))
    prints = {}
    for setting in settings:
        cohorts, content = ["cohort"], None
        if setting.cfg.features.kind == "latents":
            content = setting.store.sha256
            cohorts += ["pretraining.cohort"] * (setting.cfg.pretraining["from"] == "cohort")
            cohorts += ["finetuning.cohort"] * (setting.cfg.finetuning["from"] == "cohort")
        prints[setting.name] = {key: setting.cohort(key).fingerprint(content) for key in cohorts}
        if setting.cfg.features.kind == "csv":
            prints[setting.name]["features"] = digest(setting.feature_file.provenance)
    return {"recipe": recipes.STUDY, "config": own, "cohorts": prints}


def study_run(cfg: DictConfig, settings: list[Setting]) -> Run:
    """The study's own run."""
    return settings[0].run("study", study_key(cfg, settings))
