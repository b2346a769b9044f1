"""Checkpoints of a training: everything that decides its rest, in one file, written whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from .errors import TrainingError
from .recipe import Recipe
from .whole_files import replacing

FILE_NAME = "training.pt"
FORMAT = 1


def save_checkpoint(folder: Path, recipe: Recipe, state: Mapping[str, Any]) -> None:
    """Write ``state`` (numbers, texts and tensors in dicts and lists) for a recipe into ``folder``."""
    content = {"format": FORMAT, "recipe": recipe.identity, "steps": recipe.optimization.steps}
    with replacing(folder / FILE_NAME) as unfinished:
        torch.save({**content, "state": dict(state)}, unfinished)


def has_checkpoint(folder: Path) -> bool:
    """Whether a training left one in ``folder``."""
    return (folder / FILE_NAME).is_file()


def load_checkpoint(folder: Path, recipe: Recipe) -> dict[str, Any] | None:
    """The state in ``folder``, on the CPU; ``None`` where there is no checkpoint.

    Args:
        folder: that of the training.
        recipe: the one that goes on; it may have more steps than the checkpoint's.

    Raises:
        TrainingError: if the checkpoint is damaged, that of another recipe, or of more steps.
    """
    if not has_checkpoint(folder):
        return None
    path = folder / FILE_NAME
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # What torch raises on damaged files depends on where the damage is: pickle, zip, runtime and type errors.
        raise TrainingError(f"{path} can't be read ({error}); remove it and train again") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise TrainingError(f"{path} is of another version of toklab; remove it and train again")
    planned = recipe.optimization.steps
    # Checkpoints of earlier versions don't say of how many steps they are.
    steps = content.get("steps", planned)
    if content["recipe"] != _with_steps(recipe, steps).identity:
        raise TrainingError(
            f"{path} belongs to another recipe, or to an earlier form of this one; choose another output folder or "
            "remove the file"
        )
    if planned < steps:
        raise TrainingError(f"{path} is of a training of {steps} steps; give at least as many, not {planned}")
    return content["state"]


def _with_steps(recipe: Recipe, steps: int) -> Recipe:
    return replace(recipe, optimization=replace(recipe.optimization, steps=steps))
