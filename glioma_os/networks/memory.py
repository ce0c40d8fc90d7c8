"""Time for memory: the encoder's activations computed again on the way back instead of kept."""

from __future__ import annotations

from functools import partial

from torch import nn
from torch.utils.checkpoint import checkpoint

from glioma_os.networks.contracts import SegmentationNetwork


def checkpoint_activations(network: SegmentationNetwork) -> None:
    """From now on keeps only what goes into each encoder module; names of parameters and results stay the same."""
    for stage in network.encoder_stages():
        for module in stage:
            module.forward = partial(_run_checkpointed, module, module.forward)


def _run_checkpointed(module: nn.Module, forward: object, *inputs: object) -> object:
    """Dropout is drawn again as it was."""
    assert callable(forward)
    return checkpoint(forward, *inputs, use_reentrant=False) if module.training else forward(*inputs)
