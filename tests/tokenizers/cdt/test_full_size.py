"""The published sizes: tensors, parameters and operations of the released models, on the meta device."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from toklab.tokenizers.catalog import build_on_meta, load_cards
from toklab.tokenizers.cdt.adapter import CDTTokenizer
from toklab.tokenizers.interface import InferenceSettings
from torch.utils.flop_counter import FlopCounterMode

PARAMETERS = {"base": (43413056, 149179699), "small": (10323584, 110349254)}
"""Encoder, and condition decoder with denoiser."""

FLOPS = {
    ("base", 17, 256, 256, 1): (12533461155840, 20372477641216),
    ("base", 17, 256, 256, 3): (12533461155840, 50866142905856),
    ("base", 1, 256, 256, 1): (813132939264, 1452156846592),
    ("base", 17, 720, 720, 1): (99141636096000, 161149477799424),
    ("small", 17, 256, 256, 1): (1072487727104, 4620557156864),
    ("small", 17, 256, 256, 3): (1072487727104, 13262238320128),
    ("small", 1, 256, 256, 1): (72079114240, 350537581056),
    ("small", 17, 720, 720, 1): (8483545497600, 36549325530624),
}
"""(variant, frames, height, width, steps) to operations of encoding and decoding the official networks, condition maps
computed once; two for each multiply-add."""


@pytest.mark.slow
@pytest.mark.sampled(3)
@pytest.mark.parametrize("case", FLOPS)
def test_operations_are_those_of_the_official_network(case: tuple[str, int, int, int, int]) -> None:
    variant, num_frames, height, width, steps = case
    # The official code takes 720×720 pixels in chunks, and embeds the time once a chunk.
    chunks = {"chunk_frames": 64, "chunk_mode": "official"} if height == 720 else {}
    settings = InferenceSettings.from_mapping({"steps": steps, **chunks})
    tokenizer = build_on_meta(load_cards()[f"cdt-{variant}"], settings)
    video = torch.empty(1, 3, num_frames, height, width, device="meta")
    with FlopCounterMode(display=False) as encoding:
        encoded = tokenizer.encode(video)
    with FlopCounterMode(display=False) as decoding:
        assert tokenizer.decode(encoded).shape == video.shape
    assert (encoding.get_total_flops(), decoding.get_total_flops()) == FLOPS[case]


@pytest.mark.parametrize("variant", PARAMETERS)
def test_parameters_are_those_of_the_official_network(variant: str) -> None:
    modules = build_on_meta(load_cards()[f"cdt-{variant}"]).modules()
    counts = {role: sum(p.numel() for p in module.parameters()) for role, module in modules.items()}
    assert counts == dict(zip(("encoder", "decoder"), PARAMETERS[variant], strict=True))


@pytest.mark.goldens
@pytest.mark.parametrize("variant", PARAMETERS)
def test_state_dict_has_the_official_names_shapes_and_order(shared: Path, variant: str) -> None:
    stored = json.loads((shared / "goldens" / "cdt" / "full_keys" / f"cdt_{variant}.json").read_text())
    tokenizer = build_on_meta(load_cards()[f"cdt-{variant}"])
    assert isinstance(tokenizer, CDTTokenizer)
    state = {key: list(value.shape) for key, value in tokenizer.model.state_dict().items()}
    assert state == stored
