"""Cards to test with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from toklab.tokenizers.card import Card
from toklab.tokenizers.card_file import read_card
from toklab.tokenizers.trust.cards import TRUST_VARIABLE

CARD = {
    "name": "'a-card'",
    "title": "'Title'",
    "family": "'family'",
    "adapter": "'.baselines.resize:ResizeTokenizer'",
    "regularizer": "'resize'",
    "causal": "true",
    "temporal_compression": "4",
    "spatial_compression": "8",
}

WriteCard = Callable[..., Path]


@pytest.fixture
def write_card(tmp_path: Path) -> WriteCard:
    """Writes a card with the given keys (TOML values; ``None`` removes a key) and tables, and returns its path."""

    def write(file: str = "a.toml", tables: str = "", **changes: str | None) -> Path:
        lines = [f"{key} = {value}" for key, value in {**CARD, **changes}.items() if value is not None]
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join([*lines, tables]))
        return path

    return write


@pytest.fixture
def make_card(write_card: WriteCard, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Card]:
    """Like ``write_card``, and reads the card; adapters of the tests are trusted."""
    monkeypatch.setenv(TRUST_VARIABLE, "1")
    return lambda *args, **changes: read_card(write_card(*args, **changes))
