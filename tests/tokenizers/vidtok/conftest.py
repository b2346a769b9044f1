"""Small VidTok networks whose every weight counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from toklab.tokenizers.vidtok.config import VidTokConfig
from toklab.tokenizers.vidtok.model import VidTokModel

ModelFactory = Callable[..., VidTokModel]


@pytest.fixture
def tiny_model() -> ModelFactory:
    """Builds a seeded network; the weights that official initialization sets to zero are random too."""

    def build(variant: str = "causal", **parameters: Any) -> VidTokModel:
        given: dict[str, Any] = {
            "variant": variant,
            "ch": 8,
            "ch_mult": [1, 2, 2, 2],
            "num_res_blocks": 1,
            "z_channels": 4,
            "time_downsample_factor": 4,
            "interpolation_mode": "trilinear",
        }
        model = VidTokModel(VidTokConfig.from_parameters(given | parameters)).eval().requires_grad_(False)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if "_temporal" in name and "conv2" in name:
                    parameter.normal_(std=0.1)
                elif "mix_factor" in name:
                    parameter.normal_()
        return model

    return build
