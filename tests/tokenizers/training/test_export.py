from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from toklab.tokenizers.card import TrainingRecord
from toklab.tokenizers.catalog import build_tokenizer, load_cards
from toklab.tokenizers.training.export import export, initial_card, stored_weights
from toklab.tokenizers.training.recipe import load_recipe

RECORD = TrainingRecord("r", "toklab train r", "2 videos", 10, 0, 7, 'a "CPU"', "12 clips", 21.5, 8.25, "12ab", "none")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vidtok-kl-4chn", "vidtok-fsq-4096", "vidtok-lfq-262144", "vidtok-vq"])
def test_exported_cards_load_with_their_weights_and_their_record(tmp_path: Path, name: str) -> None:
    recipe = load_recipe(name)
    tokenizer = build_tokenizer(initial_card(recipe))
    weights = stored_weights(tokenizer.model.state_dict(), half=True)  # type: ignore[attr-defined]
    path = export(tmp_path, recipe, weights, RECORD)
    card = load_cards([tmp_path / "cards"])[initial_card(recipe).name]
    assert Path(str(card.source)) == path
    assert card.training == RECORD
    assert card.training is not None
    assert "init_hash" not in path.read_text()
    assert card.training.facts["init_hash"] == "not recorded"
    assert dataclasses.replace(card.spec, weights="") == dataclasses.replace(initial_card(recipe).spec, weights="")
    loaded = build_tokenizer(card)
    for key, value in loaded.model.state_dict().items():  # type: ignore[attr-defined]
        assert torch.equal(value, weights[key].to(value.dtype)), key
