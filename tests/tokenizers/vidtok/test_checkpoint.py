"""Official checkpoints, as they are written, and checkpoints of other models."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from toklab.tokenizers.interface import TokenizerError
from toklab.tokenizers.network_adapter import assign_state, without_engine
from toklab.tokenizers.vidtok.model import VidTokModel
from torch import Tensor

ModelFactory = Callable[..., VidTokModel]


def load(model: VidTokModel, checkpoint: dict[str, Tensor]) -> None:
    assign_state(model, without_engine(checkpoint), "tiny")


def as_trained(model: VidTokModel) -> dict[str, Tensor]:
    """The state of the official training engine, which compiled encoder and decoder."""
    state = {
        name.replace("encoder.", "encoder._orig_mod.").replace("decoder.", "decoder._orig_mod."): value
        for name, value in model.state_dict().items()
    }
    return state | {
        "loss.logvar": torch.zeros(()),
        "loss.discriminator.main.0.weight": torch.zeros(64, 3, 4, 4),
        "model_ema.decay": torch.tensor(0.999),
        "model_ema.encoderconv_inconvweight": torch.zeros(8, 3, 3, 3, 3),
    }


def test_training_states_load_unchanged(tiny_model: ModelFactory) -> None:
    model = tiny_model()
    with torch.device("meta"):
        loaded = VidTokModel(model.config)
    load(loaded, as_trained(model))
    assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in model.state_dict().items())


def test_half_precision_weights_become_float32(tiny_model: ModelFactory) -> None:
    model = tiny_model()
    load(model, {name: value.half() for name, value in model.state_dict().items()})
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_the_state_of_a_bare_network_has_no_engine_around_it(tiny_model: ModelFactory) -> None:
    model = tiny_model()
    with pytest.raises(TokenizerError, match=r"unexpected \("):
        assign_state(model, as_trained(model), "tiny")


def test_a_checkpoint_of_another_model_is_refused_by_name(tiny_model: ModelFactory) -> None:
    wide = tiny_model(ch=16).state_dict()
    with pytest.raises(TokenizerError, match=r"tiny: .*of another shape \(encoder\.conv_in\.conv\.weight"):
        load(tiny_model(), wide)
    with pytest.raises(TokenizerError, match=r"missing \(.*conv_in\.conv\.bias.*unexpected \(.*conv_in\.bias"):
        load(tiny_model(), tiny_model("noncausal").state_dict())
    with pytest.raises(TokenizerError, match="another model"):
        load(tiny_model(), {})
