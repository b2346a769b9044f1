"""Loading state dicts into networks that may have been built without weights."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from .errors import TokenizerError

DROPPED_PREFIXES = ("loss.", "model_ema.")
"""Children of a training engine that reconstruct nothing: the loss with its discriminator, and averaged weights."""
COMPILED_PREFIX = "_orig_mod."
"""What ``torch.compile`` puts into the names of a compiled module's tensors."""
NAMES_SHOWN = 3


def load_checkpoint(model: nn.Module, checkpoint: Mapping[str, Tensor], name: str) -> None:
    """Replace every weight of ``model`` by that of a training engine's checkpoint; as :func:`assign_state`.

    What the engine holds beside the network is dropped, and names are those without ``torch.compile``.
    """
    state = {
        key.replace(COMPILED_PREFIX, ""): value
        for key, value in checkpoint.items()
        if not key.startswith(DROPPED_PREFIXES)
    }
    assign_state(model, state, name)


def assign_state(model: nn.Module, state: Mapping[str, Tensor], name: str) -> None:
    """Replace every weight of ``model``, also one built on the meta device, by that in ``state``, in float32.

    Args:
        model: the network.
        state: exactly its tensors, by name.
        name: of the tokenizer, for the message.

    Raises:
        TokenizerError: naming tensors that are missing, unexpected or of another shape, if they are another model's.
    """
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
