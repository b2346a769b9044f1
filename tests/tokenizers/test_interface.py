"""What every adapter's encoding must be: of the clips that went in, with the codes that the spec says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import pytest
import torch
from toklab.tokenizers.interface import Encoded, InferenceSettings, TokenizerError, TokenizerSpec
from toklab.tokenizers.streaming import StreamingTokenizer
from torch import Tensor
from torch.nn import functional as F

Change = Callable[[Encoded], Encoded]


class Changed(StreamingTokenizer):
    """Signs of small frames as codes; a test changes what it gives."""

    supported_settings = StreamingTokenizer.supported_settings | {"chunk_frames"}

    def __init__(self, change: Change):
        spec = TokenizerSpec("changed", "test", "Changed", "vq", False, 1, 8, latent_channels=3, codebook_size=2)
        super().__init__(spec, InferenceSettings(chunk_frames=1))
        self._change = change

    def _encode_stream(
        self, frames: Iterable[Tensor], generators: Sequence[torch.Generator] | None
    ) -> Iterator[Encoded]:
        for video in frames:
            latents = F.avg_pool3d(video, (1, 8, 8))
            codes = (latents[:, 0] > 0).long()
            yield self._change(Encoded(latents=latents, codes=(codes,), codebook_sizes=(2,)))

    def _decode_stream(self, encoded: Iterable[Encoded]) -> Iterator[Tensor]:
        for piece in encoded:
            assert piece.latents is not None
            yield piece.latents.repeat_interleave(8, 3).repeat_interleave(8, 4)


WRONG: dict[str, tuple[Change, str]] = {
    "frames in the batch": (
        lambda e: replace(e, codes=tuple(codes.flatten(0, 1) for codes in e.codes)),
        "encoded 2 clips to codes of codebook 0 of 10",
    ),
    "codes of another grid": (
        lambda e: replace(e, codes=tuple(codes[:, :1] for codes in e.codes)),
        r"codes of \(2, 1, 2, 3\) beside latents of \(2, 3, 5, 2, 3\); they must be of \(2, 5, 2, 3\)",
    ),
    "another codebook": (lambda e: replace(e, codebook_sizes=(65536,)), r"of \[65536\] codes; its spec says \[2\]"),
    "no codes": (lambda e: replace(e, codes=(), codebook_sizes=()), r"0 tensors of codes.*its spec says \[2\]"),
    "sizes alone": (lambda e: replace(e, codes=()), r"0 tensors of codes.*its spec says \[2\]"),
    "a divergence a frame": (lambda e: replace(e, kl_nats=torch.zeros(10)), r"2 clips to kl_nats of \(10,\)"),
    "one divergence": (lambda e: replace(e, kl_nats=torch.zeros(())), r"2 clips to kl_nats of \(\)"),
    "one stream": (lambda e: replace(e, bitstreams=(b"a",)), "2 clips to bitstreams of 1"),
    "one seed": (lambda e: replace(e, noise_seeds=(1,)), "2 clips to noise_seeds of 1"),
    "other latents": (lambda e: replace(e, latents=torch.zeros(10, 3, 1, 2, 3)), "2 clips to latents of 10"),
}
VIDEO = torch.zeros(2, 3, 5, 16, 24)


def test_an_encoding_by_the_rules_is_taken() -> None:
    tokenizer = Changed(lambda e: replace(e, kl_nats=torch.zeros(2), noise_seeds=(1, 2), bitstreams=(b"a", b"b")))
    assert tokenizer.decode(tokenizer.encode(VIDEO)).shape == VIDEO.shape
    assert sum(piece.num_frames for piece in tokenizer.encode_stream(VIDEO.split(2, 2))) == 5


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG)
def test_an_encoding_of_other_clips_or_codes_is_refused(change: Change, message: str) -> None:
    with pytest.raises(TokenizerError, match=message):
        Changed(change).encode(VIDEO)
    with pytest.raises(TokenizerError, match=message):
        list(Changed(change).encode_stream([VIDEO]))


def test_latents_that_are_no_grid_may_have_codes_of_their_own_shape() -> None:
    tokenizer = Changed(lambda e: replace(e, latents=torch.zeros(2, 7, 4), codes=(torch.zeros(2, 7).long(),)))
    assert tokenizer.encode(VIDEO).num_tokens == 7
