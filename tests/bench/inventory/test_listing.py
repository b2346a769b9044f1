"""What `toklab list tokenizers` says of what can run, what is missing, and what was published."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from toklab.bench.inventory.listing import listing
from toklab.tokenizers import adapters
from toklab.tokenizers.card import Card
from toklab.tokenizers.catalog import build_on_meta, load_cards
from toklab.tokenizers.interface import TokenizerError


@pytest.fixture(autouse=True)
def _without_downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "empty"))


def line_of(text: str, name: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(f"{name} "))


def test_states_and_published_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapters, "find_spec", lambda name: None)
    text = listing("tokenizers")
    assert "ready" in line_of(text, "bicubic-4chn")
    assert "needs the extra diffusers and a download" in line_of(text, "cogvideox-2b")
    assert "needs the extra diffusers" in line_of(text, "cosmos-tiny-cv")
    vidtok = line_of(text, "vidtok_kl_causal_488_16chn")
    assert "needs a download" in vidtok
    assert "PSNR 35.04, SSIM 0.942, LPIPS 0.047, FVD 78.9 on mcl-jcv [" in vidtok
    assert "VidTok paper Table 1 (arXiv:2412.13061)" in text
    assert "the extra diffusers: pip install 'toklab[diffusers]'" in text
    assert "a download: toklab weights pull NAME" in text


def test_a_card_of_ones_own_without_its_file_is_named(tmp_path: Path) -> None:
    text = (Path(str(load_cards()["vidtok-tiny-kl-4chn"].source))).read_text()
    text = text.replace('name = "vidtok-tiny-kl-4chn"', 'name = "mine"').replace("random_seed = 0", 'path = "w.ckpt"')
    (tmp_path / "mine.toml").write_text(text)
    found = listing("tokenizers", (tmp_path,))
    assert "needs its checkpoint" in line_of(found, "mine")
    assert f"mine: Put {tmp_path / 'w.ckpt'} there" in found


def families() -> dict[str, Card]:
    """One card with random weights for every adapter that has one."""
    return {card.adapter: card for card in load_cards().values() if card.checkpoint.kind == "random"}


@pytest.mark.parametrize("card", families().values(), ids=lambda card: card.name)
def test_adapters_need_the_extra_they_are_listed_with(card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "diffusers", None)
    for name in [name for name in sys.modules if name.startswith("diffusers.")]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(adapters, "find_spec", lambda name: None)
    if not adapters.missing_extra(card.adapter):
        build_on_meta(card)
        return
    with pytest.raises((TokenizerError, ImportError)):
        build_on_meta(card)
