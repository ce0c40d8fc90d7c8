"""What fine-tuning may change: parameter groups by encoder stage, a table of them, and frozen parts that stay frozen.

A policy of your own is a subclass of TransferPolicy in your package, made known by an entry point, and a yaml:

    [project.entry-points."glioma_os.transfer"]
    top_half = "my_package.transfer:TopHalf"

with `_target_: my_package.transfer.TopHalf` and `name: top_half` in `transfer/top_half.yaml` of a `--config-dir`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar

from torch import nn

from glioma_os.errors import ConfigError
from glioma_os.networks.contracts import SegmentationNetwork


@dataclass(frozen=True)
class Group:
    """Modules, and parameters outside of them, that share a learning rate from `start` (share of the training, 0–1) on;
    None = never trained."""

    name: str
    modules: list[nn.Module]
    lr: float
    start: float | None
    loose: list[nn.Parameter] = field(default_factory=list)

    def trains(self, progress: float) -> bool:
        """Whether it trains at this share of the training."""
        return self.start is not None and progress >= self.start

    def parameters(self) -> list[nn.Parameter]:
        """All parameters of the group, each once."""
        own = [parameter for module in self.modules for parameter in module.parameters()]
        return list({id(parameter): parameter for parameter in [*own, *self.loose]}.values())


@dataclass(frozen=True)
class TransferPolicy(ABC):
    """Decides for each encoder stage at which rate, and from when on, it is fine-tuned; the decoder always trains.

    `name` must be the class's own (`label`): it is what trackers and tables show.
    """

    label: ClassVar[str]
    uses_pretrained: ClassVar[bool] = True  # whether fine-tuning begins from pre-trained weights
    name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.name or self.label)
        if self.name != self.label:
            known = sorted(policy.label for policy in TransferPolicy.__subclasses__())
            raise ConfigError(
                "transfer.name", f"{self.name!r} found → {self.label!r} expected",
                f"Choose another policy as a whole: transfer=NAME, one of {', '.join(known)}",
            )  # fmt: skip

    @abstractmethod
    def schedule_stage(self, above: int, depth: int, lr: float) -> tuple[float, float | None]:
        """(learning rate, start) of the encoder stage with `above` − 1 stages below it: 1 is the deepest, `depth` the
        shallowest. Start: the share of the training, 0–1, from which on it trains; None = never."""

    def groups(self, network: SegmentationNetwork, lr: float) -> list[Group]:
        """Every parameter of the network in exactly one group: encoder stages shallow to deep, then the rest."""
        assert isinstance(network, nn.Module)
        stages = network.encoder_stages()
        depth = len(stages)
        out = []
        for level, modules in enumerate(stages):
            rate, start = self.schedule_stage(depth - level, depth, lr)
            out.append(Group(f"encoder stage {level}", modules, rate, start))
        claimed = {id(parameter) for group in out for parameter in group.parameters()}
        modules, loose = _find_rest(network, claimed)
        return [*out, Group("decoder", modules, lr, 0.0, loose)]

    def table(self, groups: list[Group]) -> list[tuple[str, int, float, str]]:
        """(group, parameters, learning rate, mode) for the log and the report."""
        rows = []
        for group in groups:
            count = sum(p.numel() for p in group.parameters())
            mode = "frozen" if group.start is None else "trained" if not group.start else f"from {group.start:.0%} on"
            rows.append((group.name, count, 0.0 if group.start is None else group.lr, mode))
        return rows


@dataclass(frozen=True)
class Full(TransferPolicy):
    """Everything trains at one rate."""

    label: ClassVar[str] = "full"

    def schedule_stage(self, above: int, depth: int, lr: float) -> tuple[float, float | None]:
        """All alike."""
        return lr, 0.0


@dataclass(frozen=True)
class Scratch(TransferPolicy):
    """Everything trains at one rate, from random weights: pre-trained ones are ignored."""

    label: ClassVar[str] = "scratch"
    uses_pretrained: ClassVar[bool] = False

    def schedule_stage(self, above: int, depth: int, lr: float) -> tuple[float, float | None]:
        """All alike."""
        return lr, 0.0


@dataclass(frozen=True)
class Frozen(TransferPolicy):
    """The decoder alone trains."""

    label: ClassVar[str] = "frozen"

    def schedule_stage(self, above: int, depth: int, lr: float) -> tuple[float, float | None]:
        """None trains."""
        return lr, None


@dataclass(frozen=True)
class LastStage(TransferPolicy):
    """The decoder and the deepest encoder stage train."""

    label: ClassVar[str] = "last_stage"

    def schedule_stage(self, above: int, depth: int, lr: float) -> tuple[float, float | None]:
        """The deepest trains."""
        return lr, 0.0 if above == 1 else None


@dataclass(frozen=True)
class Gradual(TransferPolicy):
    """Gradual unfreezing with discriminative rates (Howard and Ruder 2018): each stage has `decay`
    times the rate of the next deeper one, the deepest `decay` times the decoder's; stages begin to train from deep to
    shallow, the shallowest after the share `unfreeze` of the training."""

    label: ClassVar[str] = "gradual"
    decay: float = 0.5
    unfreeze: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.decay <= 1 or not 0 <= self.unfreeze < 1:
            raise ConfigError(
                "transfer", f"decay {self.decay}, unfreeze {self.unfreeze} found → (0, 1] and [0, 1) expected",
                "Correct the value",
            )  # fmt: skip

    def schedule_stage(self, above: int, depth: int, lr: float) -> tuple[float, float | None]:
        """decay^above of the decoder's rate, from unfreeze · above / depth on."""
        return lr * self.decay**above, self.unfreeze * above / depth


def _find_rest(network: nn.Module, claimed: set[int]) -> tuple[list[nn.Module], list[nn.Parameter]]:
    """The largest modules without a claimed parameter, and unclaimed parameters of modules that hold both."""
    modules: list[nn.Module] = []
    loose: list[nn.Parameter] = []

    def visit(module: nn.Module) -> None:
        parameters = list(module.parameters())
        free = [parameter for parameter in parameters if id(parameter) not in claimed]
        if parameters and not free:
            return
        if len(free) == len(parameters):
            modules.append(module)
            return
        loose.extend(parameter for parameter in module.parameters(recurse=False) if id(parameter) not in claimed)
        for child in module.children():
            visit(child)

    visit(network)
    return modules, loose


def apply_freeze(groups: list[Group], progress: float, keep_graph: bool = False) -> None:
    """Sets requires_grad, and eval() on what does not train at this share of the training (dropout, norms).

    `keep_graph`: what trains later gets gradients from the start.
    """
    for group in groups:
        trains = group.trains(progress)
        for parameter in group.parameters():
            parameter.requires_grad_(trains or (keep_graph and group.start is not None))
        for module in group.modules:
            module.train(trains)
