"""Identities of cards as ledgers hold them: a change would have every finished run repeated."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from toklab.tokenizers.adapters import MOVED, PACKAGE, current_path
from toklab.tokenizers.card import Card
from toklab.tokenizers.catalog import build_on_meta, load_cards

IDENTITIES = json.loads(Path(__file__).with_name("card_identities.json").read_text(encoding="utf-8"))


def moved_cards() -> dict[str, Card]:
    """One card of each family that moved, by the family's first package."""
    cards = sorted(load_cards().values(), key=lambda card: card.checkpoint.kind != "random")
    return {
        first: next(card for card in cards if current_path(card.adapter).startswith(f"{now}."))
        for first, now in MOVED.items()
    }


def test_shipped_cards_have_the_identities_they_were_released_with() -> None:
    assert {name: card.identity for name, card in load_cards().items() if name in IDENTITIES} == IDENTITIES


@pytest.mark.slow
@pytest.mark.parametrize(("first", "card"), moved_cards().items(), ids=MOVED)
def test_a_familys_first_path_builds_the_same_tokenizer_with_the_same_identity(first: str, card: Card) -> None:
    if ".cosmos" in first or first.endswith(".opensora"):
        pytest.importorskip("diffusers", reason="the extra diffusers")
    module = current_path(card.adapter).removeprefix(MOVED[first])
    paths = [first + module, first.removeprefix(PACKAGE) + module, MOVED[first] + module]
    paths.append(MOVED[first].removeprefix(PACKAGE) + module)
    cards = [replace(card, adapter=path) for path in paths]
    assert len({type(build_on_meta(one)) for one in cards}) == 1
    # A leading dot has always been part of an identity, so absolute and relative paths differ.
    assert cards[0].identity == cards[2].identity
    assert {cards[1].identity, cards[3].identity} == {card.identity}


def test_what_a_user_writes_on_a_card_has_the_identity_it_always_had(make_card) -> None:
    card = make_card(
        adapter="'mine:Tokenizer'",
        regularizer="'fsq'",
        codebook_size="64",
        codebook_levels="[8, 8]",
        latent_channels="2",
        frame_rule="{ multiple = 4, offset = 1 }",
        tables="[parameters]\nwidths = [1, 2]\n[checkpoint]\npath = 'w.ckpt'\nalso = { path = 'v.ckpt' }",
    )
    assert card.identity == "17a7ac458ea1fcf4"
