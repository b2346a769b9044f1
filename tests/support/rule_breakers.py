"""Tokenizers that each break one rule of the conformance test, and some that only look as if they did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from fake_tokenizers import Average, NaNProducing, Noisy, Signs, WrongLength
from toklab.tokenizers.interface import Encoded, InferenceSettings, VideoTokenizer
from torch import Tensor, nn
from torch.nn import functional as F

Generators = Sequence[torch.Generator] | None


class WrongChannels(Average):
    """Says 4 channels, gives 3."""

    def __init__(self, settings: InferenceSettings | None = None):
        super().__init__(settings)
        self.spec = replace(self.spec, latent_channels=4)


class WrongCompression(Average):
    """Says 4 frames a latent, gives one."""

    def __init__(self, settings: InferenceSettings | None = None):
        super().__init__(settings)
        self.spec = replace(self.spec, temporal_compression=4)


class NoDivergence(Average):
    """Says that it has a KL posterior, and gives no divergence."""

    def __init__(self, settings: InferenceSettings | None = None):
        super().__init__(settings)
        self.spec = replace(self.spec, regularizer="kl")


class CodesOutOfRange(Signs):
    """Counts its codes from 1."""

    def _encode(self, video: Tensor, generators: Generators) -> Encoded:
        encoded = super()._encode(video, generators)
        return replace(encoded, codes=(encoded.codes[0] + 1,))


class WrongCodebook(Signs):
    """Counts bits for a codebook of another size than its spec says."""

    def _encode(self, video: Tensor, generators: Generators) -> Encoded:
        return replace(super()._encode(video, generators), codebook_sizes=(16,))


class ChangesItsInput(Average):
    """Scales the clip in place."""

    def _encode(self, video: Tensor, generators: Generators) -> Encoded:
        return super()._encode(video.mul_(0.5), generators)


class GivesItsInputBack(Average):
    """Decodes to the very clip that it was given."""

    def _encode(self, video: Tensor, generators: Generators) -> Encoded:
        self._video = video
        return super()._encode(video, generators)

    def _decode(self, encoded: Encoded) -> Tensor:
        return self._video


class Remembers(Average):
    """Decodes to what the encoder saw, not to what it returned."""

    def _encode(self, video: Tensor, generators: Generators) -> Encoded:
        self._video = video.clone()
        return super()._encode(video, generators)

    def _decode(self, encoded: Encoded) -> Tensor:
        remembered = getattr(self, "_video", None)
        return super()._decode(encoded) if remembered is None else remembered.clone()


class LooksAhead(Average):
    """Adds the mean of all frames to each."""

    def _encode(self, video: Tensor, generators: Generators) -> Encoded:
        return super()._encode((video + video.mean(2, keepdim=True)) / 2, generators)


class SaysThatItLooksAhead(LooksAhead):
    """The same, declared."""

    looks_ahead = None
    looks_ahead_through = "the mean of all frames"


class LooksFartherThanItSays(LooksAhead):
    """Declares three frames, and looks at all."""

    looks_ahead = 3
    looks_ahead_through = "the mean of a few frames"


class LooksTwoFramesAhead(Average):
    """Adds the next frame but one to each, and says so."""

    looks_ahead = 2
    looks_ahead_through = "the next frame but one"

    def _encode(self, video: Tensor, generators: Generators) -> Encoded:
        later = torch.cat([video[:, :, 2:], video[:, :, -1:].expand(-1, -1, min(2, video.shape[2]), -1, -1)], 2)
        return super()._encode((video + later[:, :, : video.shape[2]]) / 2, generators)


class SaysOneFrameAndLooksTwoAhead(LooksTwoFramesAhead):
    """The same, a frame beyond what it declares."""

    looks_ahead = 1


class GroupNormed(Average):
    """Looks ahead through the statistics of a group norm alone."""

    def __init__(self, settings: InferenceSettings | None = None):
        super().__init__(settings)
        self.norm = nn.GroupNorm(1, 3)

    def _encode(self, video: Tensor, generators: Generators) -> Encoded:
        return super()._encode(self.norm(video) / 4, generators)


class DrawsFromTheGlobalGenerator(Average):
    """Adds noise that no generator of the window gives."""

    def _encode(self, video: Tensor, generators: Generators) -> Encoded:
        return super()._encode(video + 0.1 * torch.randn_like(video), generators)


class DecodesWithNoise(Average):
    """Declares the noise of its decoder."""

    def _encode(self, video: Tensor, generators: Generators) -> Encoded:
        assert generators is not None
        seeds = tuple(int(torch.randint(1 << 30, (), generator=generator)) for generator in generators)
        return replace(super()._encode(video, generators), noise_seeds=seeds)

    def _decode(self, encoded: Encoded) -> Tensor:
        video = super()._decode(encoded)
        drawn = [torch.randn(video.shape[1:], generator=torch.Generator().manual_seed(s)) for s in encoded.noise_seeds]
        return video + 0.1 * torch.stack(drawn)


class EncodesWithTheNoiseOfItsDecoder(DecodesWithNoise):
    """Declares noise, but lets it into the encoding too."""

    def _encode(self, video: Tensor, generators: Generators) -> Encoded:
        encoded = super()._encode(video, generators)
        assert encoded.latents is not None
        return replace(encoded, latents=encoded.latents + encoded.noise_seeds[0] % 7)


class MixesTheBatch(Average):
    """Subtracts the mean of the batch."""

    def _encode(self, video: Tensor, generators: Generators) -> Encoded:
        return super()._encode(video - video.mean(0, keepdim=True), generators)


class SpreadsNaN(Average):
    """Is right as long as every clip of the batch is finite."""

    def _encode(self, video: Tensor, generators: Generators) -> Encoded:
        return super()._encode(video + 0 * video.sum(), generators)


class StumblesOverNaN(Average):
    """Fails on NaN with an error that says nothing of it."""

    def _encode(self, video: Tensor, generators: Generators) -> Encoded:
        return super()._encode(video if video.isfinite().all() else video[:, :, 99], generators)


class RefusesNaN(Average):
    """Fails on NaN and says so."""

    def _encode(self, video: Tensor, generators: Generators) -> Encoded:
        if not video.isfinite().all():
            raise ValueError("the clip holds NaN")
        return super()._encode(video, generators)


class SwallowsNaN(Average):
    """Takes NaN for grey."""

    def _encode(self, video: Tensor, generators: Generators) -> Encoded:
        return super()._encode(video.nan_to_num(), generators)


class Hoards(Average):
    """Keeps every latent."""

    def __init__(self, settings: InferenceSettings | None = None):
        super().__init__(settings)
        self.kept: list[Tensor | None] = []

    def _encode(self, video: Tensor, generators: Generators) -> Encoded:
        encoded = super()._encode(video, generators)
        self.kept.append(encoded.latents)
        return encoded


class Loud(Average):
    """Gives values far outside of [-1, 1]."""

    def _decode(self, encoded: Encoded) -> Tensor:
        return 10 * super()._decode(encoded)


class NonCausal(LooksAhead):
    """Looks ahead and says that it isn't causal."""

    def __init__(self, settings: InferenceSettings | None = None):
        super().__init__(settings)
        self.spec = replace(self.spec, causal=False)


class Pooling(Average):
    """Keeps every fourth frame: causal with four frames a latent."""

    def __init__(self, settings: InferenceSettings | None = None):
        super().__init__(settings)
        self.spec = replace(self.spec, temporal_compression=4)

    def _encode(self, video: Tensor, generators: Generators) -> Encoded:
        return Encoded(latents=F.avg_pool3d(video[:, :, ::4], (1, 8, 8)))

    def _decode(self, encoded: Encoded) -> Tensor:
        return super()._decode(encoded).repeat_interleave(4, 2)[:, :, 3:]


BROKEN: dict[type[VideoTokenizer], str] = {
    WrongChannels: "spec",
    WrongCompression: "spec",
    NoDivergence: "spec",
    CodesOutOfRange: "spec",
    WrongCodebook: "spec",
    WrongLength: "lengths",
    ChangesItsInput: "input",
    GivesItsInputBack: "input",
    Remembers: "fresh decoder",
    LooksAhead: "causality",
    LooksFartherThanItSays: "causality",
    SaysOneFrameAndLooksTwoAhead: "causality",
    DrawsFromTheGlobalGenerator: "determinism",
    Noisy: "noise",
    EncodesWithTheNoiseOfItsDecoder: "noise",
    MixesTheBatch: "batches",
    NaNProducing: "range",
    SpreadsNaN: "nan",
    StumblesOverNaN: "nan",
    Hoards: "memory",
}
"""Tokenizers and the rule that each breaks."""

WARNED: dict[type[VideoTokenizer], str] = {
    SaysThatItLooksAhead: "causality",
    LooksTwoFramesAhead: "causality",
    GroupNormed: "causality",
    SwallowsNaN: "nan",
    Signs: "nan",
    Loud: "range",
}
"""Tokenizers that break no rule, and the one that has something to tell."""

SOUND: tuple[type[VideoTokenizer], ...] = (Average, Pooling, DecodesWithNoise, RefusesNaN, NonCausal)
"""Tokenizers without a fault."""
