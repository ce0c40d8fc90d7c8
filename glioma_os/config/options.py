"""The options of a study that belong to no class of their own, each group as a frozen dataclass.

Types, choices and limits stand here alone; the values that a user sees and changes stand in `conf/`, whole, and a test
holds the two against each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from glioma_os.errors import ConfigError
from glioma_os.records import Modality

Whole = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
Text = Annotated[str, Field(min_length=1)]
Millimetres = Annotated[float, Field(gt=0)]
Above0 = Annotated[float, Field(gt=0)]
From0 = Annotated[float, Field(ge=0)]
Counts = Annotated[tuple[Positive, ...], Field(min_length=1)]
Penalties = Annotated[tuple[From0, ...], Field(min_length=1)]
Strengths = Annotated[tuple[Above0, ...], Field(min_length=1)]
ShareOrRule = Annotated[float, Field(gt=0, le=1)] | Literal["sqrt", "log2"]
LeakPolicy = Literal["strict", "report", "paper_like"]
Resection = Literal["gtr", "str", "biopsy"]


class Options:
    """A group of options: an unknown key, and a number that is none, are refused."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True)
class General(Options):
    """`name` of the run folders, `setting` in reports, and the seed of everything that is drawn."""

    name: Text = "study"
    setting: Text = "Study"
    seed: Seed = 7


@dataclass(frozen=True)
class Channels(Options):
    """MRI sequences that the segmenter reads, in the network's order."""

    channels: Annotated[tuple[Modality, ...], Field(min_length=1)] = tuple(Modality)

    def __post_init__(self) -> None:
        _refuse_repeats("channels", self.channels)


def _refuse_repeats(key: str, values: Sequence[object]) -> None:
    if len(set(values)) < len(values):
        raise ConfigError(key, f"{[str(one) for one in values]} found → each once expected", "Correct the value")


@dataclass(frozen=True)
class Combat(Options):
    """Site (batch) effects removed from the features inside every fold, towards `reference` where one is named."""

    enabled: bool = False
    reference: str | None = None


@dataclass(frozen=True)
class Validation(Options):
    """Nested, patient-grouped, stratified cross-validation, and what its numbers are reported with.

    `repeats` of the outer folds, `auto` = 1 where each repeat fine-tunes segmenters of its own, else 10. `components`:
    numbers of principal components that inner folds choose from, null = every feature. `whitening`: 1 gives every
    component the same spread, 0 leaves the features' own. `horizons_days`: where survival curves are predicted and
    evaluated. `replicates` of the patient bootstrap; `instability`: bootstrap refits of every outer fold, 0 = none.
    `clinical`: age, clinical (all that is recorded) or a list of variables.
    """

    folds: Annotated[int, Field(ge=2)] = 5
    repeats: Positive | Literal["auto"] = "auto"
    inner_folds: Annotated[int, Field(ge=2)] = 3
    leak_policy: LeakPolicy = "strict"
    components: Annotated[tuple[Positive | None, ...], Field(min_length=1)] = (4, 16)
    scaling: Literal["standard", "normal_scores"] = "standard"
    whitening: Share = 1.0
    age_in_pca: bool = False
    combat: Combat = field(default_factory=Combat)
    horizons_days: tuple[float, ...] = (90, 180, 270, 365, 450, 545, 730)
    replicates: Annotated[int, Field(ge=20)] = 2000
    interval: Literal["percentile", "bca"] = "percentile"
    instability: Whole = 0
    clinical: str | tuple[str, ...] = "age"

    def __post_init__(self) -> None:
        _refuse_repeats("validation.components", self.components)
        days = list(self.horizons_days)
        if any(day <= 0 for day in days) or days != sorted(set(days)):
            raise ConfigError("validation.horizons_days", f"{days} found → rising days above 0 expected",
                              "Correct the days")  # fmt: skip


@dataclass(frozen=True)
class Pretraining(Options):
    """What the segmenter is trained on before the survival cohort. `cohort` trains here, `weights` takes a state dict.

    `channels`: those of the pre-training; fine-tuning with fewer slices the input convolution. `holdout` patients are
    kept apart to score it. `md5` (whole or beginning) is compared before `weights` are loaded. Patients with an id
    that begins with `seen_prefix` were seen by those weights.
    """

    source: Literal["cohort", "weights", "none"] = "cohort"
    channels: Annotated[tuple[Modality, ...], Field(min_length=1)] = tuple(Modality)
    holdout: Whole = 0
    weights: str | None = None
    md5: str | None = None
    seen_prefix: str | None = None

    def __post_init__(self) -> None:
        _refuse_repeats("pretraining.channels", self.channels)


@dataclass(frozen=True)
class Finetuning(Options):
    """`own` = on the survival cohort, fold by fold; `cohort` = on a cohort of its own, once; `none`. `fraction` of the
    labelled training patients is used."""

    source: Literal["own", "cohort", "none"] = "own"
    fraction: Annotated[float, Field(gt=0, le=1)] = 1.0


@dataclass(frozen=True)
class Schedule(Options):
    """How long and how fast a segmenter is fitted. `patch` (D, H, W) voxels, null = the whole brain box; `lr` is the
    highest learning rate, reached after `warmup` (share of the steps) and lowered by a cosine."""

    epochs: Positive = 300
    batch_size: Positive = 1
    patch: tuple[Positive, Positive, Positive] | None = (224, 224, 144)
    lr: Annotated[float, Field(gt=0)] = 1e-4
    weight_decay: Annotated[float, Field(ge=0)] = 1e-5
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.0


@dataclass(frozen=True)
class Eligibility(Options):
    """Whose survival is predicted: patients of these extents of resection, null = all."""

    resection: Annotated[tuple[Resection, ...], Field(min_length=1)] | None = None


@dataclass(frozen=True)
class Prepare(Options):
    """`spacing_mm` of the prepared volumes, null = the scanner's grid."""

    spacing_mm: Millimetres | None = None


@dataclass(frozen=True)
class Synthetic(Options):
    """The embedded cohorts: `signal` is the correlation of the imaging trait with log survival."""

    signal: float = 0.9
    patients: Positive = 108
    spacing_mm: Millimetres = 4.0
    seed: Seed = 44


@dataclass(frozen=True)
class Audit(Options):
    """`voxels`: also compare every image of the two cohorts."""

    voxels: bool = False


@dataclass(frozen=True)
class PermutationOptions(Options):
    """`labels`: survival permuted among patients; `noise`: features replaced by noise; `features`: rows of features
    permuted among patients, which leaves survival and clinical values together."""

    kind: Literal["labels", "noise", "features"] = "labels"
    runs: Positive = 20


@dataclass(frozen=True)
class Sync(Options):
    """`send`: send the dashboard runs that were recorded offline, with the user's own account."""

    send: bool = False


@dataclass(frozen=True)
class Segment(Options):
    """`write_predictions`: label maps as NIfTI on the scanner's grid."""

    write_predictions: bool = False


@dataclass(frozen=True)
class Paths(Options):
    """Folders and tables of this machine: the one part of the configuration that reads the environment."""

    root: Text = "."
    runs: Text = "./runs"
    store: Text = "./store"
    job: str | None = None
    brats2018: str | None = None
    brats2020: str | None = None
    bundle_weights: str | None = None
    besta_table: str | None = None
    real_data: str | None = "../shared/data"
    upenn_table: str | None = None
    ucsf_table: str | None = None


GROUPS: dict[str, type[Any]] = {
    "validation": Validation, "pretraining": Pretraining, "finetuning": Finetuning, "eligibility": Eligibility,
    "prepare": Prepare, "synthetic": Synthetic, "audit": Audit, "permutation_test": PermutationOptions,
    "sync": Sync, "segment": Segment,
    "paths": Paths,
}  # fmt: skip
