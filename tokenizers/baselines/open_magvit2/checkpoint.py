"""Official Open-MAGVIT2 checkpoints: the averaged weights, which are the ones evaluated, under the network's names."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

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
