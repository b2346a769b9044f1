from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from toklab.tokenizers.interface import TokenizerError
from toklab.tokenizers.networks.ldm.parameters import config_from


@dataclass(frozen=True)
class Config:
    width: int
    levels: tuple[int, ...] = field(default_factory=tuple)


def test_lists_become_tuples() -> None:
    assert config_from(Config, {"width": 8, "levels": [1, 2]}, "X") == Config(8, (1, 2))


def test_wrong_names_are_told_together() -> None:
    with pytest.raises(TokenizerError, match="X parameters: unknown wide, missing width; there are: levels, width"):
        config_from(Config, {"wide": 8}, "X")
