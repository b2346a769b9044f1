"""Constructor parameters: defaults of the official code, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from toklab.tokenizers.interface import TokenizerError
from toklab.tokenizers.networks.quantizers.fsq import FSQuantizer
from toklab.tokenizers.networks.quantizers.identity import IdentityQuantizer
from toklab.tokenizers.networks.quantizers.interface import Quantizer
from toklab.tokenizers.networks.quantizers.kl import KLQuantizer
from toklab.tokenizers.networks.quantizers.lfq import LFQuantizer
from toklab.tokenizers.networks.quantizers.vq import VectorQuantizer
from toklab.tokenizers.vidtok.config import VidTokConfig
from toklab.tokenizers.vidtok.model import VidTokModel

BASE: dict[str, Any] = {"z_channels": 4, "ch_mult": [1, 2, 4, 4], "time_downsample_factor": 4}


def test_level_sets_have_the_official_defaults() -> None:
    config = VidTokConfig.from_parameters(BASE)
    assert config.spatial_ds == (0, 1, 2)
    assert config.spatial_us == (1, 2, 3)
    assert set(config.tempo_ds) == {1, 2}
    assert set(config.tempo_us) == {1, 2}
    assert config.spatial_factor == 8
    assert config.widths == (128, 256, 512, 512)


def test_noncausal_networks_ignore_level_sets() -> None:
    given = BASE | {"variant": "noncausal", "tempo_ds": [0], "tempo_us": [3]}
    assert VidTokConfig.from_parameters(given) == VidTokConfig.from_parameters(BASE | {"variant": "noncausal"})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"zchannels": 4}, "unknown zchannels"),
        ({"variant": "v2"}, "variant must be one of"),
        ({"time_downsample_factor": 8}, "don't give time_downsample_factor 8"),
        ({"spatial_us": [1, 2]}, "as many levels"),
        ({"regularizer": {"kind": "fsq"}}, "regularizer: quantizer 'fsq': .*levels"),
        ({"regularizer": {"kind": "kl", "levels": [8]}}, "regularizer: quantizer 'kl': .*levels"),
        ({"regularizer": {"kind": "pq"}}, "no quantizer 'pq'"),
        ({"regularizer": "kl"}, "regularizer must be a table"),
        ({"regularizer": {"kind": "fsq", "levels": 8}}, "VidTok regularizer parameters: levels must be a list"),
        ({"ch": "8"}, "VidTok parameters: ch must be a whole number, not .8."),
    ],
)
def test_wrong_parameters_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(TokenizerError, match=message):
        VidTokConfig.from_parameters(BASE | change)


def test_missing_parameters_are_named() -> None:
    with pytest.raises(TokenizerError, match="missing ch_mult, missing time_downsample_factor"):
        VidTokConfig.from_parameters({"z_channels": 4})


@pytest.mark.parametrize(
    ("regularizer", "quantizer"),
    [
        ({"kind": "kl"}, KLQuantizer),
        ({"kind": "ae"}, IdentityQuantizer),
        ({"kind": "fsq", "levels": [8, 8, 8, 8], "entropy_loss_weight": 0.0}, FSQuantizer),
        ({"kind": "lfq", "num_bits": 18, "dim": 4}, LFQuantizer),
        ({"kind": "vq", "codebook_size": 64, "dim": 4, "codebook_update": "ema"}, VectorQuantizer),
    ],
)
def test_every_quantizer_can_stand_between_encoder_and_decoder(
    regularizer: dict[str, Any], quantizer: type[Quantizer]
) -> None:
    parameters = BASE | {"ch": 8, "num_res_blocks": 1, "double_z": regularizer["kind"] == "kl"}
    with torch.device("meta"):
        model = VidTokModel(VidTokConfig.from_parameters(parameters | {"regularizer": regularizer}))
        assert isinstance(model.regularization, quantizer)
        assert model.reconstruct(torch.empty(1, 3, 5, 16, 16)).shape == (1, 3, 5, 16, 16)
