"""Official CDT checkpoints: which of their tensors are the model, and whether they fit."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ..state_dict import load_checkpoint as load_strictly
from .model import CDTModel

PREFIX = "model."


def load_checkpoint(model: CDTModel, checkpoint: Mapping[str, Tensor], name: str) -> None:
    """Replace every weight of ``model``, also one built on the meta device, by the checkpoint's, in float32.

    Where its configuration says so, they are rounded to float16 first. Names may lack the official prefix ``model.``.

    Raises:
        TokenizerError: naming tensors that are missing, unexpected or of another shape, if the checkpoint is another
            model's.
    """
    state = {key if key.startswith(PREFIX) else PREFIX + key: value for key, value in checkpoint.items()}
    if model.config.float16_rounding:
        state = {key: value.half().float() for key, value in state.items()}
    load_strictly(model, state, name)
