"""Official VidTok checkpoints: which of their tensors are the model, and whether they fit."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from ..interface import TokenizerError

DROPPED_PREFIXES = ("loss.", "model_ema.")
"""Children of the training engine that reconstruct nothing: the loss with its discriminator, and averaged weights."""
COMPILED_PREFIX = "_orig_mod."
"""What ``torch.compile`` puts into the names of a compiled module's tensors."""
NAMES_SHOWN = 3


def model_state(checkpoint: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of encoder, decoder and regularizer under the names they have without ``torch.compile``."""
    return {
        name.replace(COMPILED_PREFIX, ""): value
        for name, value in checkpoint.items()
        if not name.startswith(DROPPED_PREFIXES)
    }


def load_checkpoint(model: nn.Module, checkpoint: Mapping[str, Tensor], name: str) -> None:
    """Replace every weight of ``model``, also one built on the meta device, by the checkpoint's, in float32.

    Raises:
        TokenizerError: naming tensors that are missing, unexpected or of another shape, if the checkpoint is another
            model's.
    """
    state = model_state(checkpoint)
    expected = model.state_dict()
    problems = {
        "missing": sorted(set(expected) - set(state)),
        "unexpected": sorted(set(state) - set(expected)),
        "of another shape": [
            f"{key} {tuple(state[key].shape)} instead of {tuple(value.shape)}"
            for key, value in expected.items()
            if key in state and state[key].shape != value.shape
        ],
    }
    if any(problems.values()):
        listed = [f"{len(names)} {what} ({_some(names)})" for what, names in problems.items() if names]
        raise TokenizerError(f"{name}: the checkpoint is of another model: tensors {'; '.join(listed)}")
    converted = {key: value.float() if value.is_floating_point() else value for key, value in state.items()}
    model.load_state_dict(converted, assign=True)


def _some(names: list[str]) -> str:
    return ", ".join(names[:NAMES_SHOWN]) + (", …" if len(names) > NAMES_SHOWN else "")
