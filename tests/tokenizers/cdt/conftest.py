"""Small CDT networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import torch
from toklab.tokenizers.catalog import build_tokenizer, load_cards
from toklab.tokenizers.cdt.adapter import CDTTokenizer
from toklab.tokenizers.cdt.config import CDTConfig
from toklab.tokenizers.cdt.model import CDTModel
from toklab.tokenizers.interface import InferenceSettings

VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "base": {"out_channels": 3, "space_down": [0, 1, 1, 1], "new_upsample": True},
    "small": {"out_channels": 3, "space_down": [1, 1, 1, 0]},
}

ModelFactory = Callable[..., CDTModel]
TokenizerFactory = Callable[..., CDTTokenizer]


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def tiny_model() -> ModelFactory:
    """Builds a seeded network of a variant."""

    def build(variant: str, **parameters: Any) -> CDTModel:
        given = {"latent_dim": 4, "context_dim": 4, "unet_dim": 4, **VARIANTS[variant], **parameters}
        torch.manual_seed(0)
        return CDTModel(CDTConfig.from_parameters(given)).eval()

    return build


@pytest.fixture
def tiny_tokenizer() -> TokenizerFactory:
    """Builds the tiny card of a variant with the given inference settings."""

    def build(variant: str, **settings: Any) -> CDTTokenizer:
        card = load_cards()[f"cdt-tiny-{variant}"]
        tokenizer = build_tokenizer(card, InferenceSettings.from_mapping(settings))
        assert isinstance(tokenizer, CDTTokenizer)
        return tokenizer

    return build


@pytest.fixture
def generators() -> Callable[..., list[torch.Generator]]:
    """Noise generators with the given seeds."""
    return lambda *seeds: [torch.Generator().manual_seed(seed) for seed in seeds]
