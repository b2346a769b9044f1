"""Official Open-MAGVIT2 checkpoints: the averaged weights, which are the ones evaluated, under the network's names."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ...errors import TokenizerError

EMA_PREFIX = "model_ema."
EMA_COUNTERS = ("model_ema.decay", "model_ema.num_updates")
"""What the average is taken with; no weights."""
NETWORKS = ("encoder.", "decoder.")
"""The checkpoint's other tensors are the loss with its discriminator, and counters."""


def model_state(checkpoint: Mapping[str, Tensor], names: list[str]) -> dict[str, Tensor]:
    """The tensors of encoder and decoder: averaged, if the checkpoint holds an average, else the last ones.

    Averaged weights stand under the parameter's name without its dots.

    Args:
        checkpoint: the flat state dict.
        names: of the network's parameters.

    Raises:
        TokenizerError: if the average isn't that of the whole network.
    """
    if not any(name.startswith(EMA_PREFIX) and name not in EMA_COUNTERS for name in checkpoint):
        return {name: value for name, value in checkpoint.items() if name.startswith(NETWORKS)}
    averaged = {name: EMA_PREFIX + name.replace(".", "") for name in names}
    if missing := [key for key in averaged.values() if key not in checkpoint]:
        raise TokenizerError(
            f"Open-MAGVIT2: the checkpoint is of another model: its average lacks {len(missing)} of the network's "
            f"tensors, such as {missing[0]}"
        )
    return {name: checkpoint[key] for name, key in averaged.items()}
