"""A tokenizer of one weight, for tests of what cards and checkpoints do with weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from toklab.tokenizers.interface import Encoded, InferenceSettings, TokenizerSpec, VideoTokenizer
from torch import Tensor, nn


class WeightedTokenizer(VideoTokenizer):
    """Multiplies by its weight on the way in and gives that back."""

    def __init__(self, spec: TokenizerSpec, parameters: dict[str, Any], settings: InferenceSettings):
        super().__init__(spec, settings)
        self.scale = nn.Linear(1, 1, bias=False)

    def modules(self) -> dict[str, nn.Module]:
        return {"encoder": self.scale}

    def load_state(self, state: dict[str, Tensor]) -> None:
        self.scale.load_state_dict(state)

    def init_random(self, seed: int) -> None:
        nn.init.normal_(self.scale.weight, generator=torch.Generator().manual_seed(seed))

    def _encode(self, video: Tensor, generators: Sequence[torch.Generator] | None) -> Encoded:
        return Encoded(latents=video * self.scale.weight)

    def _decode(self, encoded: Encoded) -> Tensor:
        assert encoded.latents is not None
        return encoded.latents


def no_tokenizer(*arguments: object) -> tuple[object, ...]:
    """An adapter that gives something else."""
    return arguments
