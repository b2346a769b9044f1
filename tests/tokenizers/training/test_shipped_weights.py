"""What the cards of the shipped weights say of their training, against recipes, the list of videos and the weights."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import pytest
import torch
from toklab.tokenizers.card import NOT_RECORDED, Card, TrainingRecord
from toklab.tokenizers.catalog import load_cards
from toklab.tokenizers.checkpoints import find
from toklab.tokenizers.training.recipe import load_recipe
from toklab.tokenizers.trust.weight_files import load_state

ZOO = Path(__file__).parents[3] / "docs" / "zoo_videos.csv"


def record_of(card: Card) -> TrainingRecord:
    assert card.training is not None
    return card.training


TRAINED = {name: card for name, card in load_cards().items() if card.training}
RECORDED = [name for name, card in TRAINED.items() if record_of(card).recipe_hash != NOT_RECORDED]


def test_most_cards_have_it_recorded() -> None:
    assert len(RECORDED) >= 12


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_a_card_says_by_which_recipe_and_on_which_videos(name: str) -> None:
    record = record_of(TRAINED[name])
    recipe = load_recipe(record.recipe)
    assert record.recipe_hash == recipe.identity
    with ZOO.open(encoding="utf-8") as file:
        lines = "".join(f"{row['sha256']}\n" for row in csv.DictReader(file))
    assert record.data_hash == f"contents:{hashlib.sha256(lines.encode()).hexdigest()}"
    below = TRAINED[load_recipe(recipe.init).tokenizer["name"]].checkpoint.sha256 if recipe.init else "none"
    assert record.init_hash == below
    if record.start_psnr is not None:
        assert 15 < record.start_psnr < record.psnr


@pytest.mark.parametrize(("grown", "below"), [("8x", "4x"), ("16x", "8x")])
def test_a_grown_level_holds_the_weights_that_its_card_says_it_started_from(grown: str, below: str) -> None:
    paths = [find(TRAINED[f"progressive-small-{ratio}"]) for ratio in (grown, below)]
    assert paths[0] is not None
    assert paths[1] is not None
    weights, start = load_state(paths[0]), load_state(paths[1])
    for key, value in start.items():
        assert torch.equal(weights[key], value), key
