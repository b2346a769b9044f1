"""The small cards of the KL autoencoders among the ported families, and what their tests do to the networks."""

from __future__ import annotations

import pytest
import torch
from toklab.tokenizers.baselines.cvvae.adapter import CVVAETokenizer
from toklab.tokenizers.baselines.opensora.adapter import OpenSoraTokenizer
from toklab.tokenizers.baselines.opensora_plan.adapter import CausalVAETokenizer
from toklab.tokenizers.catalog import build_tokenizer, load_cards
from toklab.tokenizers.interface import InferenceSettings
from torch import Tensor, nn

PortedTokenizer = CVVAETokenizer | OpenSoraTokenizer | CausalVAETokenizer

TINY_CARDS = ("cv-vae-tiny-4chn", "cv-vae-tiny-16chn", "opensora-tiny", "opensora-plan-tiny")


def ported(name: str, settings: InferenceSettings | None = None) -> PortedTokenizer:
    """The tokenizer of a card with random weights; the test is skipped where its extra is missing."""
    if name.startswith("opensora-tiny"):
        pytest.importorskip("diffusers", reason="the extra diffusers")
    tokenizer = build_tokenizer(load_cards()[name], settings)
    assert isinstance(tokenizer, PortedTokenizer)
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
