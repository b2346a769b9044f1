"""A changed file, adapter or checkout is another tokenizer to a run that goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from toklab.bench.catalog.catalog import tokenizers
from toklab.bench.catalog.tokenizer_entry import REVISIONS, CardTokenizer
from toklab.tokenizers.card import Card
from toklab.tokenizers.catalog import load_cards
from toklab.tokenizers.trust.cards import TRUST_VARIABLE


@pytest.fixture
def card_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Card]:
    """A trusted user's card in ``tmp_path`` with an adapter and parameters."""
    monkeypatch.setenv(TRUST_VARIABLE, "1")
    card = replace(load_cards()["vidtok-tiny-kl-4chn"], source=tmp_path / "a.toml", trusted=False)
    return lambda adapter, **parameters: replace(card, adapter=adapter, parameters=parameters)


def identity(card: Card) -> str:
    return CardTokenizer(card, "a folder").identity


def test_what_ships_has_the_identity_of_its_card() -> None:
    for entry in tokenizers():
        if isinstance(entry, CardTokenizer):
            revision = REVISIONS.get(entry.card.spec.regularizer)
            assert entry.identity == entry.card.identity + (f"+{revision}" if revision else "")


def test_a_file_that_a_parameter_names_counts(card_of: Callable[..., Card], tmp_path: Path) -> None:
    card = card_of(".baselines.diffusers_autoencoder:DiffusersTokenizer", config_file="vae/config.json")
    absent = identity(card)
    (tmp_path / "vae").mkdir()
    (tmp_path / "vae" / "config.json").write_text('{"decoder_causal": true}')
    first = identity(card)
    (tmp_path / "vae" / "config.json").write_text('{"decoder_causal": false}')
    assert len({absent, first, identity(card), card.identity}) == 4
    assert identity(replace(card, parameters={"config_file": 3}))


def test_the_file_of_an_adapter_counts_and_is_not_run(
    card_of: Callable[..., Card], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    card = card_of("some_adapter_of_mine:Tokenizer")
    absent = identity(card)
    module = tmp_path / "some_adapter_of_mine.py"
    module.write_text("raise SystemExit\n")
    first = identity(card)
    module.write_text("raise SystemExit  # another\n")
    assert len({absent, first, identity(card)}) == 3
    monkeypatch.delenv(TRUST_VARIABLE)
    assert identity(card) == card.identity


def test_the_code_of_a_checkout_counts_and_what_lies_beside_it_does_not(
    card_of: Callable[..., Card], tmp_path: Path
) -> None:
    card = card_of(
        ".baselines.bridge:BridgeTokenizer",
        checkout_folder="theirs",
        model="models.vae:Vae",
        arguments={"config": "small.yaml", "width": 3},
    )
    found = [identity(card)]
    models = tmp_path / "theirs" / "models"
    models.mkdir(parents=True)
    for file, text in [("models/vae.py", "1"), ("models/vae.py", "2"), ("models/layers.py", ""), ("small.yaml", "a")]:
        (tmp_path / "theirs" / file).write_text(text)
        found.append(identity(card))
    assert len(set(found)) == len(found)
    for file in ("README.md", ".git/hook.py", "env/lib.py", "env/pyvenv.cfg", "models/__pycache__/vae.pyc"):
        (tmp_path / "theirs" / file).parent.mkdir(exist_ok=True)
        (tmp_path / "theirs" / file).touch()
    assert identity(card) == found[-1]
