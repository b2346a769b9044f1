"""Checkpoints of a training: everything that decides its rest, in one file, written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from .errors import TrainingError

FILE_NAME = "training.pt"
FORMAT = 1


def save_checkpoint(folder: Path, recipe: str, state: Mapping[str, Any]) -> None:
    """Write ``state`` (numbers, texts and tensors in dicts and lists) for a recipe into ``folder``."""
    path = folder / FILE_NAME
    unfinished = path.with_name(f".{os.getpid()}.{FILE_NAME}")
    try:
        torch.save({"format": FORMAT, "recipe": recipe, "state": dict(state)}, unfinished)
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def has_checkpoint(folder: Path) -> bool:
    """Whether a training left one in ``folder``."""
    return (folder / FILE_NAME).is_file()


def load_checkpoint(folder: Path, recipe: str) -> dict[str, Any] | None:
    """The state in ``folder``, on the CPU; ``None`` where there is no checkpoint.

    Args:
        folder: that of the training.
        recipe: what :meth:`Recipe.identity` says of the recipe that goes on.

    Raises:
        TrainingError: if the checkpoint is damaged, or that of another recipe.
    """
    if not has_checkpoint(folder):
        return None
    path = folder / FILE_NAME
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # What torch raises on damaged files depends on where the damage is: pickle, zip, runtime and type errors.
        raise TrainingError(f"{path} can't be read ({error}); remove it and train again") from error
    if content.get("format") != FORMAT:
        raise TrainingError(f"{path} is of another version of toklab; remove it and train again")
    if content["recipe"] != recipe:
        raise TrainingError(
            f"{path} belongs to another recipe, or to an earlier form of this one; choose another output folder or "
            "remove the file"
        )
    return content["state"]
