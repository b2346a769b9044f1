"""Damage to a card's weights: they are refused, or the model has the very tensors."""

from __future__ import annotations

import shutil
from importlib import resources
from pathlib import Path

import numpy as np
import torch
from bit_flips import damage
from faults import FaultKind, Outcome
from toklab.bench.catalog.catalog import tokenizers
from toklab.tokenizers.interface import CheckpointUnavailable, InferenceSettings, TokenizerError

SHIPPED, NAME = "vidtok-small-fsq-4096", "damaged"


class DamagedWeights(FaultKind):
    """A card's weights are damaged, and the model is built."""

    name = "damaged weights"
    tried = (
        "flipped bits, a cut end, zeros or noise in the weights of a card with their SHA-256; then the model is built"
    )
    share = 600
    per_process = 25

    def prepare(self, folder: Path) -> None:
        package = resources.files("toklab.tokenizers")
        text = (package / "cards" / f"{SHIPPED}.toml").read_text(encoding="utf-8")
        card = text.replace(f'name = "{SHIPPED}"', f'name = "{NAME}"').replace("../weights/", "")
        (folder / "card.toml").write_text(card, encoding="utf-8")
        (folder / f"{SHIPPED}.safetensors").write_bytes((package / "weights" / f"{SHIPPED}.safetensors").read_bytes())
        torch.save(_tensors(folder), folder / "truth.pt")

    def attempt(self, rng: np.random.Generator, folder: Path, scratch: Path) -> Outcome:
        cards = Path(shutil.copytree(folder, scratch / "cards"))
        path = cards / f"{SHIPPED}.safetensors"
        changed, what = damage(path.read_bytes(), rng)
        path.write_bytes(changed)
        try:
            found = _tensors(cards)
        except (CheckpointUnavailable, TokenizerError, ValueError) as error:
            return Outcome("refused", f"{what}: {str(error)[:200]}")
        truth = torch.load(folder / "truth.pt", weights_only=True)
        same = found.keys() == truth.keys() and all(torch.equal(found[name], truth[name]) for name in truth)
        return Outcome("survived", what) if same else Outcome("wrong", f"{what}: other tensors")


def _tensors(cards: Path) -> dict[str, torch.Tensor]:
    entry = tokenizers((cards,)).entry(NAME)
    entry.weights_identity()
    modules = entry.build(InferenceSettings(), torch.device("cpu")).modules()
    return {f"{part}.{name}": value for part, module in modules.items() for name, value in module.state_dict().items()}
