"""Small progressive models."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from toklab.tokenizers.progressive.config import ProgressiveConfig
from toklab.tokenizers.progressive.model import DirectModel, ProgressiveModel, build_model

MakeModel = Callable[..., ProgressiveModel | DirectModel]


@pytest.fixture
def make_model() -> MakeModel:
    """Builds a model of width 8 with the given parameters, every weight of which is random and none zero."""

    def make(**parameters: object) -> ProgressiveModel | DirectModel:
        config = ProgressiveConfig.from_parameters({"ch": 8, "num_res_blocks": 1, "bootstrap": False} | parameters)
        model = build_model(config).eval().requires_grad_(False)
        if not config.bootstrap:
            for parameter in model.parameters():
                if parameter.count_nonzero() == 0:
                    torch.nn.init.normal_(parameter, std=0.1)
        return model

    return make


@pytest.fixture
def base(make_model: MakeModel) -> ProgressiveModel:
    """A model of 4×."""
    model = make_model()
    assert isinstance(model, ProgressiveModel)
    return model
