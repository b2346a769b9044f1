"""Official checkpoints: their wrappers, their names, their rounding."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from toklab.tokenizers.cdt.checkpoint import model_state
from toklab.tokenizers.cdt.model import CDTModel
from toklab.tokenizers.interface import TokenizerError
from toklab.tokenizers.network_adapter import assign_state
from toklab.tokenizers.trust.weight_files import load_state
from torch import Tensor


def load(model: CDTModel, checkpoint: dict[str, Tensor]) -> None:
    assign_state(model, model_state(checkpoint, model.config), "cdt")


@pytest.mark.slow
@pytest.mark.parametrize("wrappers", [(), ("state_dict",), ("module",), ("module", "state_dict")])
def test_wrapped_checkpoints_load(tiny_model, tmp_path: Path, wrappers: tuple[str, ...]) -> None:
    source, target = tiny_model("base"), tiny_model("base")
    state = content = {key: torch.randn_like(value) for key, value in source.state_dict().items()}
    for wrapper in wrappers:
        content = {wrapper: content}
    torch.save(content, tmp_path / "cdt.ckpt")
    load(target, load_state(tmp_path / "cdt.ckpt"))
    assert all(torch.equal(value, state[key]) for key, value in target.state_dict().items())


def test_names_may_lack_the_prefix_and_are_checked_strictly(tiny_model) -> None:
    model = tiny_model("small")
    state = {key.removeprefix("model."): value for key, value in model.state_dict().items()}
    load(model, state)
    state.pop("context_fn.quant_conv.bias")
    with pytest.raises(TokenizerError, match=r"1 missing .*quant_conv\.bias"):
        load(model, state)
    with pytest.raises(TokenizerError, match="another model"):
        load(model, tiny_model("base").state_dict())


@pytest.mark.parametrize("rounding", [False, True])
def test_weights_are_rounded_to_float16_where_the_card_says_so(tiny_model, rounding: bool) -> None:
    state = tiny_model("small").state_dict()
    model = tiny_model("small", float16_rounding=rounding)
    load(model, state)
    for key, value in model.state_dict().items():
        assert value.dtype == torch.float32
        assert torch.equal(value, state[key].half().float() if rounding else state[key])
