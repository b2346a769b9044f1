"""Which layers of a CDT compute in float32 where the rest doesn't."""

from __future__ import annotations

import pytest
import torch
from toklab.tokenizers.cdt.model import CDTModel
from toklab.tokenizers.cdt.objective import CDTObjective
from torch import Tensor, nn

LAYERS = ("context_fn.quant_conv", "context_fn.post_quant_conv", "context_fn.quant_conv_res.0", "denoise_fn.time_mlp")


def dtypes_of(model: CDTModel, clip: Tensor) -> dict[str, torch.dtype]:
    """What each of the layers, and one of the trunk, computes in during a training's forward pass in bfloat16."""
    seen: dict[str, torch.dtype] = {}

    def note(name: str, layer: nn.Module) -> None:
        layer.register_forward_hook(lambda _module, _inputs, output: seen.update({name: output.dtype}))

    for name in (*LAYERS, "context_fn.enc.0.1", "denoise_fn.downs.1.0.block1.block.0"):
        note(name, model.model.get_submodule(name))
    with torch.autocast("cpu", torch.bfloat16):
        losses = CDTObjective(model, kl_weight=1e-6)(clip, 0)
    assert torch.isfinite(losses["total"])
    return seen


@pytest.mark.parametrize("kept", [True, False])
def test_the_layers_of_the_switch_and_no_others_keep_float32_in_mixed_precision(tiny_model, kept: bool) -> None:
    model = tiny_model("small", float32_layers=kept).train().requires_grad_(True)
    seen = dtypes_of(model, torch.rand(1, 3, 5, 16, 16))
    assert {seen[name] for name in LAYERS} == {torch.float32 if kept else torch.bfloat16}
    assert {dtype for name, dtype in seen.items() if name not in LAYERS} == {torch.bfloat16}


def test_without_the_switch_a_bfloat16_network_has_no_float32_weights(tiny_model) -> None:
    kept, rounded = (tiny_model("small", float32_layers=value) for value in (True, False))
    for model in (kept, rounded):
        model.set_precision(torch.bfloat16)
    assert {p.dtype for p in rounded.parameters()} == {torch.bfloat16}
    assert {p.dtype for p in kept.parameters()} == {torch.bfloat16, torch.float32}
    moments = rounded.moments(torch.rand(1, 3, 5, 16, 16, dtype=torch.bfloat16))
    assert moments.dtype == torch.float32
    assert torch.isfinite(moments).all()
