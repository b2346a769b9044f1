"""Checkpoints of progressive tokenizers: one file holds every level, and serves every ratio up to its own."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from .config import BASE_RATIO
from .model import LevelledModel, ProgressiveModel

GROWN_PREFIX = "grow."


def model_state(model: LevelledModel, checkpoint: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of the levels that ``model`` has; those of higher levels are left out."""
    state = dict(checkpoint)
    if isinstance(model, ProgressiveModel):
        own = {f"{GROWN_PREFIX}{ratio}." for ratio in model.config.higher_ratios}
        state = {name: value for name, value in state.items() if not _is_grown(name) or _level(name) in own}
    return state


def _is_grown(name: str) -> bool:
    parts = name.split(".")
    return name.startswith(GROWN_PREFIX) and len(parts) > 2 and parts[1].isdigit() and int(parts[1]) > BASE_RATIO


def _level(name: str) -> str:
    return ".".join(name.split(".")[:2]) + "."
