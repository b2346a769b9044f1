"""Official Open-MAGVIT2 checkpoints: the averaged weights, which are the ones evaluated, under the network's names."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ...state_dict import assign_state
from .model import OpenMagvit2Model

EMA_PREFIX = "model_ema."
NETWORKS = ("encoder.", "decoder.")
"""The checkpoint's other tensors are the loss with its discriminator, and counters."""


def model_state(checkpoint: Mapping[str, Tensor], names: list[str]) -> dict[str, Tensor]:
    """The tensors of encoder and decoder.

    Averaged weights stand under the parameter's name without its dots; they replace the last ones where all are there.

    Args:
        checkpoint: the flat state dict.
        names: of the network's parameters.
    """
    averaged = {name: EMA_PREFIX + name.replace(".", "") for name in names}
    if all(key in checkpoint for key in averaged.values()):
        return {name: checkpoint[key] for name, key in averaged.items()}
    return {name: value for name, value in checkpoint.items() if name.startswith(NETWORKS)}


def load_checkpoint(model: OpenMagvit2Model, checkpoint: Mapping[str, Tensor], name: str) -> None:
    """Replace every weight of ``model`` by the checkpoint's, in float32.

    Raises:
        TokenizerError: if the checkpoint is another model's.
    """
    assign_state(model, model_state(checkpoint, list(model.state_dict())), name)
