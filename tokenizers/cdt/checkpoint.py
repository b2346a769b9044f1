"""Official CDT checkpoints: the names and the rounding of their tensors."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from .config import CDTConfig

PREFIX = "model."


def model_state(checkpoint: Mapping[str, Tensor], config: CDTConfig) -> dict[str, Tensor]:
    """A checkpoint's tensors under the network's names; those given may lack the official prefix ``model.``.

    They are rounded to float16 and back where the config says so, as the official evaluation does.
    """
    state = {key if key.startswith(PREFIX) else PREFIX + key: value for key, value in checkpoint.items()}
    return {key: value.half().float() for key, value in state.items()} if config.float16_rounding else state
