"""Official OmniTokenizer checkpoints: which of their tensors are the model."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

DROPPED_PREFIXES = ("image_discriminator.", "video_discriminator.", "perceptual_model.")
"""Children of the training engine that reconstruct nothing."""


def model_state(checkpoint: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of encoder, bottleneck and decoder."""
    return {name: value for name, value in checkpoint.items() if not name.startswith(DROPPED_PREFIXES)}
