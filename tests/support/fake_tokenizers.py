"""Small tokenizers for tests of the runner; each is a plugin callable ``(settings) -> VideoTokenizer``."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from toklab.tokenizers.interface import Encoded, FrameRule, InferenceSettings, TokenizerSpec, VideoTokenizer
from torch import Tensor
from torch.nn import functional as F


class Average(VideoTokenizer):
    """Average-pools each frame by 8 and repeats it: deterministic, fast, and wrong enough to be measured."""

    name = "average"

    def __init__(self, settings: InferenceSettings | None = None):
        spec = TokenizerSpec(
            name=self.name,
            family="fake",
            title=self.name,
            regularizer="ae",
            causal=True,
            temporal_compression=1,
            spatial_compression=8,
            latent_channels=3,
            frame_rule=FrameRule(4, 1),
            size_multiple=8,
        )
        super().__init__(spec, settings)

    def _encode(self, video: Tensor, generators: Sequence[torch.Generator] | None) -> Encoded:
        return Encoded(latents=F.avg_pool3d(video, (1, 8, 8)))

    def _decode(self, encoded: Encoded) -> Tensor:
        assert encoded.latents is not None
        return encoded.latents.repeat_interleave(8, 3).repeat_interleave(8, 4)


class Signs(Average):
    """One bit a channel of the average: a discrete tokenizer with 8 codes."""

    name = "signs"

    def __init__(self, settings: InferenceSettings | None = None):
        super().__init__(settings)
        from dataclasses import replace

        self.spec = replace(self.spec, regularizer="lfq", codebook_size=8, codebook_levels=(2, 2, 2))

    def _encode(self, video: Tensor, generators: Sequence[torch.Generator] | None) -> Encoded:
        bits = F.avg_pool3d(video, (1, 8, 8)) > 0
        codes = (bits * torch.tensor([1, 2, 4]).view(1, 3, 1, 1, 1)).sum(dim=1)
        return Encoded(latents=bits.float() - 0.5, codes=(codes,), codebook_sizes=(8,))


class Noisy(Average):
    """Adds noise from the window's generator to the latent."""

    name = "noisy"

    def _encode(self, video: Tensor, generators: Sequence[torch.Generator] | None) -> Encoded:
        from toklab.tokenizers.interface import draw_noise

        latents = F.avg_pool3d(video, (1, 8, 8))
        return Encoded(latents=latents + 0.1 * draw_noise(latents.shape, latents, generators))


class NaNProducing(Average):
    """Returns NaN in its second frame."""

    name = "nan"

    def _decode(self, encoded: Encoded) -> Tensor:
        video = super()._decode(encoded)
        video[:, :, 1] = float("nan")
        return video


class WrongLength(Average):
    """Returns one frame too few."""

    name = "wrong-length"

    def _decode(self, encoded: Encoded) -> Tensor:
        return super()._decode(encoded)[:, :, 1:]


class MemoryHungry(Average):
    """Runs out of memory with more than one clip in the batch."""

    name = "hungry"

    def _encode(self, video: Tensor, generators: Sequence[torch.Generator] | None) -> Encoded:
        if video.shape[0] > 1:
            raise MemoryError("2 clips are too many")
        return super()._encode(video, generators)


class InPlace(Average):
    """Blackens the clip that it is given, and reconstructs black."""

    name = "in-place"

    def _encode(self, video: Tensor, generators: Sequence[torch.Generator] | None) -> Encoded:
        return super()._encode(video.mul_(0), generators)


class Echo(Average):
    """Gives back the memory of the clip that it was given."""

    name = "echo"

    def _encode(self, video: Tensor, generators: Sequence[torch.Generator] | None) -> Encoded:
        self._video = video
        return super()._encode(video, generators)

    def _decode(self, encoded: Encoded) -> Tensor:
        return self._video


class Bytes(Average):
    """Returns 8-bit frames."""

    name = "bytes"

    def _decode(self, encoded: Encoded) -> Tensor:
        return ((super()._decode(encoded) + 1) * 127.5).to(torch.uint8)


class KilledAfter(Average):
    """Ends `toklab run` at the window whose number TOKLAB_TEST_KILL gives, by the signal that TOKLAB_TEST_SIGNAL gives.

    Its calls are counted in the file that TOKLAB_TEST_CALLS names.
    """

    name = "killed"

    def _encode(self, video: Tensor, generators: Sequence[torch.Generator] | None) -> Encoded:
        counter = Path(os.environ["TOKLAB_TEST_CALLS"])
        with counter.open("a") as file:
            file.write("x")
        if len(counter.read_text()) == int(os.environ.get("TOKLAB_TEST_KILL", "-1")):
            # The supervisor is who the user sees.
            os.kill(os.getppid(), int(os.environ["TOKLAB_TEST_SIGNAL"]))
            time.sleep(600)
        return super()._encode(video, generators)


def cannot_be_built(settings: InferenceSettings) -> VideoTokenizer:
    """A plugin that fails when it is built."""
    raise RuntimeError("this machine lacks what it needs")


ALL = {
    "average": "Average",
    "signs": "Signs",
    "noisy": "Noisy",
    "nan": "NaNProducing",
    "wrong-length": "WrongLength",
    "hungry": "MemoryHungry",
    "killed": "KilledAfter",
    "in-place": "InPlace",
    "echo": "Echo",
    "bytes": "Bytes",
    "unbuildable": "cannot_be_built",
}


def plugins_variable() -> str:
    """The value of TOKLAB_PLUGINS that makes all of them known."""
    return ",".join(f"{name}=fake_tokenizers:{attribute}" for name, attribute in ALL.items())
