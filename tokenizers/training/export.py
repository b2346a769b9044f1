"""What a finished training leaves behind: weights, and the card of the tokenizer that has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..card import NOT_RECORDED, Card, TrainingRecord
from ..card_file import card_from_values
from ..trust.weight_files import sha256_of
from .recipe import Recipe
from .whole_files import replacing

CARDS_FOLDER = "cards"
WEIGHTS_FOLDER = "weights"


def initial_card(recipe: Recipe) -> Card:
    """The card of a recipe's tokenizer with random weights.

    Raises:
        CardError: if the recipe's table ``tokenizer`` is no card.
    """
    values = dict(recipe.tokenizer) | {"checkpoint": {"random_seed": recipe.optimization.seed}}
    return card_from_values(values, Path(f"recipe {recipe.name}"))


def weights_path(folder: Path, tokenizer: str) -> Path:
    """Where a training in ``folder`` leaves the weights of a tokenizer."""
    return folder / WEIGHTS_FOLDER / f"{tokenizer}.safetensors"


def card_path(folder: Path, tokenizer: str) -> Path:
    """Where a training in ``folder`` leaves its card."""
    return folder / CARDS_FOLDER / f"{tokenizer}.toml"


def stored_weights(weights: Mapping[str, Tensor], *, half: bool) -> dict[str, Tensor]:
    """Weights as they are written: floating-point ones in float16 if ``half``, otherwise as they are."""
    return {
        name: (value.to(torch.float16) if half and value.is_floating_point() else value).contiguous()
        for name, value in weights.items()
    }


def export(folder: Path, recipe: Recipe, weights: Mapping[str, Tensor], record: TrainingRecord) -> Path:
    """Write ``FOLDER/weights/NAME.safetensors`` and ``FOLDER/cards/NAME.toml``; returns the card.

    The folders are laid out like toklab's own, so that both files can be copied there, and ``--cards FOLDER/cards``
    uses them where they are.

    Args:
        folder: that of the training.
        recipe: names the tokenizer.
        weights: as :func:`stored_weights` gives them.
        record: goes into the card.
    """
    from safetensors.torch import save_file

    name = initial_card(recipe).name
    target, card = weights_path(folder, name), card_path(folder, name)
    for path in (target, card):
        path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as unfinished:
        save_file(dict(weights), unfinished)
    checkpoint = {"path": f"../{WEIGHTS_FOLDER}/{target.name}", "sha256": sha256_of(target)}
    kept = {name: value for name, value in asdict(record).items() if value not in (None, NOT_RECORDED)}
    values = dict(recipe.tokenizer) | {"checkpoint": checkpoint, "training": kept}
    with replacing(card) as unfinished:
        unfinished.write_text(to_toml(values), encoding="utf-8")
    return card


def to_toml(values: Mapping[str, Any], prefix: str = "") -> str:
    """Texts, numbers, flags, lists and tables as TOML; tables come last and short ones of numbers in one line."""
    lines, tables = [], []
    for name, value in values.items():
        if isinstance(value, Mapping) and not _is_flat(value):
            tables.append((f"{prefix}{name}", value))
        else:
            lines.append(f"{name} = {_inline(value)}")
    text = "\n".join(lines) + "\n" if lines else ""
    for name, table in tables:
        text += f"\n[{name}]\n{to_toml(table, f'{name}.')}"
    return text


def _is_flat(table: Mapping[str, Any]) -> bool:
    return all(isinstance(value, int) for value in table.values())


def _inline(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_inline, value)) + "]"
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{name} = {_inline(item)}" for name, item in value.items()) + " }"
    return repr(value)
