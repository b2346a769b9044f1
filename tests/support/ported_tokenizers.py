"""The small cards of the ported families, and what their tests do to the networks."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from toklab.tokenizers.adapters import missing_extra
from toklab.tokenizers.card import Card
from toklab.tokenizers.catalog import build_on_meta, build_tokenizer, load_cards
from toklab.tokenizers.interface import InferenceSettings
from toklab.tokenizers.network_adapter import NetworkTokenizer
from torch import Tensor, nn

TINY_CARDS = (
    "cosmos-tiny-cv",
    "cosmos-tiny-dv",
    "cv-vae-tiny-4chn",
    "cv-vae-tiny-16chn",
    "leanvae-tiny",
    "omnitokenizer-tiny-vae",
    "omnitokenizer-tiny-vq",
    "open-magvit2-tiny",
    "opensora-plan-tiny",
    "opensora-tiny",
    "taehv-tiny",
    "wf-vae-tiny",
)


def card_of(name: str) -> Card:
    """A shipped card; the test is skipped where its extra is missing."""
    card = load_cards()[name]
    if extra := missing_extra(card.adapter):
        pytest.skip(f"the extra {extra}")
    return card


def ported(name: str, settings: InferenceSettings | None = None) -> NetworkTokenizer[Any, Any]:
    """The tokenizer of a card with random weights; skips as :func:`card_of`."""
    tokenizer = build_tokenizer(card_of(name), settings)
    assert isinstance(tokenizer, NetworkTokenizer)
    return tokenizer


def on_meta(name: str) -> NetworkTokenizer[Any, Any]:
    """The tokenizer of a card without weights; skips as :func:`card_of`."""
    tokenizer = build_on_meta(card_of(name))
    assert isinstance(tokenizer, NetworkTokenizer)
    return tokenizer


def clip(*shape: int) -> Tensor:
    """A random clip in [-1, 1]."""
    return torch.rand(shape) * 2 - 1


def remove_group_norms(module: nn.Module) -> None:
    """Replace every group norm, whose statistics see the whole clip, by nothing."""
    for name, child in module.named_children():
        if isinstance(child, nn.GroupNorm):
            setattr(module, name, nn.Identity())
        else:
            remove_group_norms(child)
