"""Every output that the official code stored, and the tensors of the full-size models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from toklab.tokenizers.baselines.cosmos.adapter import CosmosTokenizer
from toklab.tokenizers.baselines.cosmos.checkpoint import model_state
from toklab.tokenizers.baselines.cosmos.config import CosmosConfig
from toklab.tokenizers.baselines.cosmos.golden import golden_outputs, golden_parameters
from toklab.tokenizers.catalog import build_on_meta, load_cards
from toklab.tokenizers.golden import UnsupportedGolden

pytest.importorskip("diffusers")
pytestmark = pytest.mark.goldens

GOLDENS = ["cosmos_cv4x8x8", "cosmos_cv8x8x8", "cosmos_dv4x8x8"]
FULL_SIZE = {
    "cosmos-cv-4x8x8": ("cosmos_cv4x8x8_mult24", 73_192_128),
    "cosmos-cv-8x8x8": ("cosmos_cv8x8x8", 105_653_696),
    "cosmos-dv-4x8x8": ("cosmos_dv4x8x8", 104_669_558),
    "cosmos-dv-8x8x8": ("cosmos_dv8x8x8", 105_653_366),
}
"""Official key list and called parameters of each card; what is between them are the uncalled convolutions."""


@pytest.mark.parametrize("name", GOLDENS)
def test_the_uncalled_modules_are_the_official_ones(shared: Path, name: str) -> None:
    config = json.loads((shared / "goldens" / "baselines" / name / "config.json").read_text())
    built = CosmosConfig.from_parameters(golden_parameters(config))
    assert list(built.uncalled_modules) == sorted(config["unused_modules"])


@pytest.mark.parametrize("name", FULL_SIZE)
def test_full_size_models_take_the_official_tensors(shared: Path, name: str) -> None:
    file, num_called = FULL_SIZE[name]
    official = json.loads((shared / "goldens" / "baselines" / f"{file}_keys.json").read_text())
    tensors = {key: torch.empty(shape, device="meta") for key, shape in official["state_dict"].items()}
    assert sum(tensor.numel() for tensor in tensors.values()) == official["params"]
    tokenizer = build_on_meta(load_cards()[name])
    assert isinstance(tokenizer, CosmosTokenizer)
    called = {key: tuple(tensor.shape) for key, tensor in model_state(tensors, tokenizer.config).items()}
    assert called == {key: tuple(value.shape) for key, value in tokenizer.model.state_dict().items()}
    parameters = [p for module in tokenizer.modules().values() for p in module.parameters()]
    assert sum(parameter.numel() for parameter in parameters) == num_called


def test_other_variants_are_not_supported(shared: Path) -> None:
    config = json.loads((shared / "goldens" / "baselines" / "cosmos_cv8x8x8" / "config.json").read_text())
    config["arch"]["encoder"] = "FULL"
    with pytest.raises(UnsupportedGolden, match="encoder = FULL"):
        golden_outputs(config, {}, {"input": torch.zeros(1, 3, 1, 32, 32)}, "io")
