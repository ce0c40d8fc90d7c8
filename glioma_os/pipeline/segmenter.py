"""A trained segmenter as a run: its weights, and whom they were trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from glioma_os.config.component import Component
from glioma_os.training.options import TrainerOptions
from glioma_os.training.run import WEIGHTS, Run


@dataclass(frozen=True)
class Segmenter:
    """A run with weights of `architecture` for `source_channels`, used with `channels`."""

    run: Run
    architecture: Component
    source_channels: tuple[str, ...]
    channels: tuple[str, ...]

    @property
    def patients(self) -> dict[str, list[str]]:
        """Cohort name → its patients that these weights, or the weights they began from, were trained on."""
        return self.run.read_json("patients.json")

    def load(self, trainer: TrainerOptions) -> Any:
        """The network with these weights, in eval(), on the device; fewer channels slice the input convolution."""
        from glioma_os.networks.weights import load_weights

        network = self.architecture.build(channels=len(self.channels))
        load_weights(network, self.run.path(WEIGHTS), self.source_channels, self.channels)
        return network.eval().to(trainer.device())

    def dice_rows(self) -> list[dict[str, str]]:
        """The rows of its dice.csv, or none if nothing was held out."""
        from glioma_os.reporting.result_files import read_dice

        return read_dice(self.run.folder)
