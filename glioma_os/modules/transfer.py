"""What a fine-tuning may change: parameter groups built by name, a table that shows them, frozen parts kept frozen."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from glioma_os.errors import ConfigError
from glioma_os.networks.contracts import SegmentationNetwork

POLICIES = ("scratch", "frozen", "last_stage", "full", "gradual")


@dataclass(frozen=True)
class Group:
    """Modules that share a learning rate from `start` (share of the training, 0–1) on; None = never trained."""

    name: str
    modules: list[nn.Module]
    lr: float
    start: float | None

    def trains(self, progress: float) -> bool:
        """Whether it trains at this share of the training."""
        return self.start is not None and progress >= self.start

    def parameters(self) -> list[nn.Parameter]:
        """All parameters of the group's modules."""
        return [parameter for module in self.modules for parameter in module.parameters()]


@dataclass(frozen=True)
class TransferPolicy:
    """`scratch` ignores the pre-trained weights; `frozen` trains the decoder only; `last_stage` the deepest encoder
    level too; `full` everything at one rate; `gradual` lowers the rate by `decay` a level and thaws deep to shallow
    over the first `thaw` share of the training."""

    name: str
    decay: float = 0.5
    thaw: float = 0.5

    def __post_init__(self) -> None:
        if self.name not in POLICIES:
            raise ConfigError("transfer.name", f"{self.name!r} found → one of {list(POLICIES)} expected", "Correct it")
        if not 0 < self.decay <= 1 or not 0 <= self.thaw < 1:
            raise ConfigError(
                "transfer", f"decay {self.decay}, thaw {self.thaw} found → (0, 1] and [0, 1)", "Correct it"
            )

    @property
    def uses_pretrained(self) -> bool:
        """Whether the fine-tuning begins from pre-trained weights."""
        return self.name != "scratch"

    def groups(self, network: SegmentationNetwork, lr: float) -> list[Group]:
        """Every parameter of the network in exactly one group: encoder stages shallow to deep, then the rest."""
        assert isinstance(network, nn.Module)
        stages = network.encoder_stages()
        claimed = {id(p) for stage in stages for module in stage for p in module.parameters()}
        rest = [m for m in network.children() if not _holds(m, claimed)]
        depth = len(stages)
        out = []
        for level, modules in enumerate(stages):
            above = depth - level  # 1 for the deepest stage
            start: float | None = 0.0
            if self.name == "frozen" or (self.name == "last_stage" and above > 1):
                start = None
            elif self.name == "gradual":
                start = self.thaw * above / depth
            rate = lr * self.decay**above if self.name == "gradual" else lr
            out.append(Group(f"encoder stage {level}", modules, rate, start))
        return [*out, Group("decoder", rest, lr, 0.0)]

    def table(self, groups: list[Group]) -> list[tuple[str, int, float, str]]:
        """(group, parameters, learning rate, mode) for the log and the report."""
        rows = []
        for group in groups:
            count = sum(p.numel() for p in group.parameters())
            mode = "frozen" if group.start is None else "trained" if not group.start else f"from {group.start:.0%} on"
            rows.append((group.name, count, 0.0 if group.start is None else group.lr, mode))
        return rows


def _holds(module: nn.Module, claimed: set[int]) -> bool:
    return any(id(parameter) in claimed for parameter in module.parameters())


def apply_freeze(groups: list[Group], progress: float, keep_graph: bool = False) -> None:
    """Sets requires_grad, and eval() on what does not train at this share of the training (dropout, norms).

    `keep_graph`: what trains later gets gradients from the start.
    """
    for group in groups:
        trains = group.trains(progress)
        for module in group.modules:
            module.requires_grad_(trains or (keep_graph and group.start is not None))
            module.train(trains)
