"""A wrapped model's ``decode`` gets what its ``encode`` returned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from toklab.bench.catalog.in_memory import as_tokenizer
from toklab.tokenizers.interface import Encoded, TokenizerError
from torch import Tensor
from torch.nn import functional as F

SPEC = {"causal": False, "temporal_compression": 1, "spatial_compression": 8, "latent_channels": 3}
VIDEO = torch.rand(2, 3, 4, 16, 16) * 2 - 1


class Model:
    """Small frames; a test says how they are handed on."""

    def __init__(self, pack: Callable[[Tensor], Any]):
        self._pack = pack
        self.given: object = None

    def encode(self, video: Tensor) -> Any:
        return self._pack(F.avg_pool3d(video, (1, 8, 8)))

    def decode(self, found: Any) -> Tensor:
        self.given = found
        return VIDEO


def codes_of(latents: Tensor) -> Tensor:
    return (latents[:, 0] > 0).long()


@pytest.mark.parametrize(
    ("pack", "kind", "spec"),
    [
        (lambda z: z, Tensor, {}),
        (codes_of, Tensor, {"codebook_size": 2}),
        (lambda z: Encoded(latents=z), Encoded, {}),
        (lambda z: Encoded(latents=z, kl_nats=torch.zeros(2)), Encoded, {"regularizer": "kl"}),
        (lambda z: Encoded(codes=(codes_of(z),), codebook_sizes=(2,)), Encoded, {"codebook_size": 2}),
    ],
    ids=["latents", "codes", "encoded latents", "encoded posterior", "encoded codes"],
)
def test_decode_gets_what_encode_returned(pack: Callable[[Tensor], Any], kind: type, spec: dict[str, Any]) -> None:
    model = Model(pack)
    tokenizer = as_tokenizer(model, **SPEC, **spec)
    assert torch.equal(tokenizer.decode(tokenizer.encode(VIDEO)), VIDEO)
    assert isinstance(model.given, kind)


def test_what_is_no_encoding_is_refused() -> None:
    with pytest.raises(TokenizerError, match="encode returned a list; return latents or codes as a tensor"):
        as_tokenizer(Model(lambda z: [z]), **SPEC).encode(VIDEO)
    with pytest.raises(TokenizerError, match=r"encode returned torch.int64 codes; say codebook_size=…"):
        as_tokenizer(Model(codes_of), **SPEC).encode(VIDEO)
