"""The published sizes: tensors, parameters and operations of every released model, on the meta device."""

from __future__ import annotations

import csv
import json
from io import StringIO
from pathlib import Path

import pytest
import torch
from toklab.tokenizers.catalog import build_on_meta, load_cards
from torch.utils.flop_counter import FlopCounterMode

FIGURES = """\
name,params_encoder,params_decoder,frames,latents,macs_encoder,macs_decoder
vidtok_fsq_causal_41616_262144,89494152,109473797,17,1x6x5x16x16,3349677342720,7351714447360
vidtok_fsq_causal_488_262144,69230472,88221189,17,1x6x5x32x32,2911774965760,7433570222080
vidtok_fsq_causal_488_32768,69216647,88207365,17,1x5x5x32x32,2911704186880,7433499443200
vidtok_fsq_causal_488_4096,69202822,88193541,17,1x4x5x32x32,2911633408000,7433428664320
vidtok_fsq_noncausal_41616_262144,89494152,109473797,16,1x6x4x16x16,2679741874176,5881371557888
vidtok_fsq_noncausal_488_262144,69230472,88221189,16,1x6x4x32x32,2329419972608,5946856177664
vidtok_kl_causal_288_8chn,62290321,86479108,17,1x8x9x32x32,2787744153600,7589572116480
vidtok_kl_causal_41616_4chn,89521802,109446149,17,1x4x5x16x16,3349712732160,7351679057920
vidtok_kl_causal_444_4chn,69110538,85833733,17,1x4x5x64x64,8385671987200,8207372124160
vidtok_kl_causal_488_16chn,69589922,88359429,17,1x16x5x32x32,2913615216640,7434278010880
vidtok_kl_causal_488_4chn,69258122,88193541,17,1x4x5x32x32,2911916523520,7433428664320
vidtok_kl_causal_488_8chn,69368722,88248837,17,1x8x5x32x32,2912482754560,7433711779840
vidtok_kl_noncausal_41616_16chn,89853602,109612037,16,1x16x4x16x16,2680109924352,5881513115648
vidtok_kl_noncausal_41616_4chn,89521802,109446149,16,1x4x4x16x16,2679770185728,5881343246336
vidtok_kl_noncausal_488_16chn,69589922,88359429,16,1x16x4x32x32,2330892173312,5947422408704
vidtok_kl_noncausal_488_4chn,69258122,88193541,16,1x4x4x32x32,2329533218816,5946742931456
vidtok_fsq_causal_41616_262144_v1_1,89494152,109473797,17,1x6x5x16x16,3349677342720,7351714447360
vidtok_fsq_causal_488_32768_v1_1,69216647,88207365,17,1x5x5x32x32,2911704186880,7433499443200
vidtok_fsq_causal_888_32768_v1_1,69659144,95285766,17,1x5x3x32x32,2489615646720,8913544544256
vidtok_kl_causal_288_8chn_v1_1,62290321,86479108,17,1x8x9x32x32,2787744153600,7589572116480
vidtok_kl_causal_41616_16chn_v1_1,89853602,109612037,17,1x16x5x16x16,3350137405440,7351891394560
vidtok_kl_causal_488_16chn_v1_1,69589922,88359429,17,1x16x5x32x32,2913615216640,7434278010880
vidtok_kl_causal_488_4chn_v1_1,69258122,88193541,17,1x4x5x32x32,2911916523520,7433428664320
"""
"""Parameters and MACs of one clip of 256×256 pixels, counted on the official code."""

ROWS = {row["name"]: row for row in csv.DictReader(StringIO(FIGURES))}


@pytest.mark.slow
@pytest.mark.sampled(6)
@pytest.mark.parametrize("name", ROWS)
def test_parameters_and_operations_are_those_of_the_official_code(name: str) -> None:
    row = ROWS[name]
    tokenizer = build_on_meta(load_cards()[name])
    counts = {role: sum(p.numel() for p in module.parameters()) for role, module in tokenizer.modules().items()}
    assert counts == {
        "encoder": int(row["params_encoder"]),
        "decoder": int(row["params_decoder"]),
        "regularizer": 0,
    }
    video = torch.empty(1, 3, int(row["frames"]), 256, 256, device="meta")
    with FlopCounterMode(display=False) as encoding:
        encoded = tokenizer.encode(video)
    with FlopCounterMode(display=False) as decoding:
        assert tokenizer.decode(encoded).shape == video.shape
    assert encoded.latents is not None
    assert "x".join(map(str, encoded.latents.shape)) == row["latents"]
    assert encoding.get_total_flops() == 2 * int(row["macs_encoder"])
    assert decoding.get_total_flops() == 2 * int(row["macs_decoder"])


@pytest.mark.slow
@pytest.mark.sampled(6)
@pytest.mark.goldens
@pytest.mark.parametrize("name", ROWS)
def test_state_dict_has_the_official_names_and_shapes(shared: Path, name: str) -> None:
    official = json.loads((shared / "goldens" / "vidtok" / "full_keys" / f"{name}.json").read_text())
    modules = build_on_meta(load_cards()[name]).modules()
    modules["regularization"] = modules.pop("regularizer")
    state = {
        f"{role}.{key}": list(v.shape) for role, module in modules.items() for key, v in module.state_dict().items()
    }
    assert state == official


def test_every_released_model_has_a_card() -> None:
    cards = load_cards()
    released = {name for name, card in cards.items() if card.spec.family == "vidtok" and card.checkpoint.repository}
    assert released == set(ROWS)
