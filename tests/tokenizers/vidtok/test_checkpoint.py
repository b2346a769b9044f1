"""Official checkpoints, as they are written."""

from __future__ import annotations

from collections.abc import Callable

import torch
from toklab.tokenizers.network_adapter import assign_state, without_engine
from toklab.tokenizers.vidtok.model import VidTokModel
from torch import Tensor

ModelFactory = Callable[..., VidTokModel]


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
    assign_state(loaded, without_engine(as_trained(model)), "tiny")
    assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in model.state_dict().items())
