"""Constructor parameters: defaults of the official code, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from toklab.tokenizers.interface import TokenizerError
from toklab.tokenizers.vidtok.config import VidTokConfig

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
        ({"regularizer": {"kind": "fsq"}}, "fsq' with levels"),
        ({"regularizer": {"kind": "vq"}}, "regularizer is kind"),
    ],
)
def test_wrong_parameters_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(TokenizerError, match=message):
        VidTokConfig.from_parameters(BASE | change)


def test_missing_parameters_are_named() -> None:
    with pytest.raises(TokenizerError, match="missing ch_mult, missing time_downsample_factor"):
        VidTokConfig.from_parameters({"z_channels": 4})
