"""Loading a state dict into a network that was built without weights."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ..interface import TokenizerError

NAMES_SHOWN = 3


def assign_state(model: nn.Module, state: Mapping[str, Tensor], name: str) -> None:
    """Replace every weight of ``model``, also one on the meta device, by that in ``state``, in float32.

    Args:
        model: the network.
        state: exactly its tensors, by name.
        name: of the tokenizer, for the message.

    Raises:
        TokenizerError: naming tensors that are missing, unexpected or of another shape.
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
    model.load_state_dict({key: value.to(torch.float32) for key, value in state.items()}, assign=True)


def _some(names: list[str]) -> str:
    return ", ".join(names[:NAMES_SHOWN]) + (", …" if len(names) > NAMES_SHOWN else "")
