"""A trained segmenter as a run: its weights, and whom they were trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from glioma_os.stages.build import build
from glioma_os.stages.setting import Setting
from glioma_os.training.run import WEIGHTS, Run


@dataclass(frozen=True)
class Segmenter:
    """A run with weights for `source_channels`, used with `channels`; `trained_on` names patients of `cohort`."""

    run: Run
    source_channels: tuple[str, ...]
    channels: tuple[str, ...]

    @property
    def patients(self) -> dict[str, list[str]]:
        """Cohort name → its patients that these weights, or the weights they began from, were trained on."""
        return self.run.read_json("patients.json")

    def network(self, setting: Setting) -> Any:
        """The network with these weights, in eval(), on the device; fewer channels slice the input convolution."""
        from glioma_os.networks.weights import load_weights

        network = build(setting.cfg.network, "network", channels=len(self.channels))
        load_weights(network, self.run.path(WEIGHTS), self.source_channels, self.channels)
        return network.eval().to(setting.options.device())
