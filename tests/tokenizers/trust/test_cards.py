"""Cards that name code run only with the user's word; all others are data."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from toklab.tokenizers.card import Card
from toklab.tokenizers.card_file import read_card
from toklab.tokenizers.catalog import build_on_meta, build_tokenizer, load_cards, read_cards
from toklab.tokenizers.trust.cards import TRUST_VARIABLE, UntrustedCard, named_code

FOREIGN = "'hostile_adapter:Tokenizer'"
BRIDGE = "'.baselines.bridge:BridgeTokenizer'"


@pytest.fixture
def read(write_card: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Card]:
    monkeypatch.delenv(TRUST_VARIABLE, raising=False)
    return lambda *args, **changes: read_card(write_card(*args, **changes))


@pytest.mark.parametrize("build", [build_tokenizer, build_on_meta])
def test_a_foreign_adapter_is_not_even_imported(
    read: Callable[..., Card], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, build: Callable[[Card], object]
) -> None:
    (tmp_path / "hostile_adapter.py").write_text(f"open({str(tmp_path / 'was_here')!r}, 'w').close()\n")
    monkeypatch.syspath_prepend(tmp_path)
    card = read(adapter=FOREIGN)
    with pytest.raises(UntrustedCard, match=r"a-card: .*a\.toml names code.*hostile_adapter:Tokenizer.*--trust-cards"):
        build(card)
    assert not (tmp_path / "was_here").exists()
    monkeypatch.setenv(TRUST_VARIABLE, "0")
    with pytest.raises(UntrustedCard):
        build(card)
    monkeypatch.setenv(TRUST_VARIABLE, "1")
    with pytest.raises(Exception, match="hostile_adapter") as raised:
        build(card)
    assert not isinstance(raised.value, UntrustedCard)
    assert (tmp_path / "was_here").exists()
    sys.modules.pop("hostile_adapter", None)


@pytest.mark.parametrize(
    ("adapter", "parameters", "code"),
    [
        (BRIDGE, "checkout_folder = 'theirs'", "the code in theirs"),
        (BRIDGE, "checkout_folder = 'theirs'\npython = 'evil'", "the interpreter evil"),
        ("'.baselines.resize:ResizeTokenizer'", "python = 'evil'", "the interpreter evil"),
        ("'..bench.api:evaluate'", "", "the adapter ..bench.api:evaluate"),
        ("'toklab.tokenizersx:T'", "", "the adapter toklab.tokenizersx:T"),
        ("'.baselines.bridge:subprocess.Popen'", "", "the adapter .baselines.bridge:subprocess.Popen"),
        ("'.baselines.resize:ResizeTokenizer'", "", ""),
        ("'toklab.tokenizers.vidtok.adapter:VidTokTokenizer'", "", ""),
        ("'.cosmos.adapter:CosmosTokenizer'", "", ""),
    ],
)
def test_what_counts_as_code(read: Callable[..., Card], adapter: str, parameters: str, code: str) -> None:
    assert named_code(read(adapter=adapter, tables=f"[parameters]\n{parameters}")) == code


def test_a_name_that_our_module_merely_imports_is_no_adapter(read: Callable[..., Card]) -> None:
    with pytest.raises(UntrustedCard, match="is no adapter of toklab's"):
        build_on_meta(read(adapter="'.checkpoints:Path'"))


def test_an_installed_package_is_trusted(read: Callable[..., Card], tmp_path: Path) -> None:
    read(adapter="'.checkpoints:Path'")
    with pytest.raises(TypeError, match="expected str"):
        build_on_meta(read_cards(tmp_path, trusted=True)[0])


def test_what_toklab_ships_needs_no_word_and_names_no_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TRUST_VARIABLE, raising=False)
    assert {named_code(card) for card in load_cards().values()} == {""}


def test_trust_is_no_part_of_the_identity(read: Callable[..., Card]) -> None:
    card = read()
    assert replace(card, trusted=True).identity == card.identity
