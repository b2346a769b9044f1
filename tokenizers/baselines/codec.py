"""The codec baselines: each clip as a classical codec's stream, at as many bits as a tokenizer's latent takes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..card import config_from
from ..errors import TokenizerError
from ..interface import BitstreamFacts, Encoded, VideoTokenizer, pad_frames
from ..network_adapter import check_agreement
from ..spec import InferenceSettings, TokenizerSpec
from .codecs import CODECS, Codec
from .ffmpeg import COLOUR, OTHER_BINARY, has_encoder, run_ffmpeg
from .rate_search import STEP, SearchOutcome, nearer, search_rate

DEFAULT_FPS = 25.0
"""Frame rate given to encoders of clips whose own is unknown. Their rate control depends on it."""
LARGEST_DENOMINATOR = 1001
"""Of the frame rates of television: 30000/1001."""

MIN_SIDE = 32
"""Pixels of the smallest side that every encoder takes."""

PRESET = re.compile(r"[A-Za-z0-9-]+")
"""What presets are called. With a space in it, a card's could become arguments of ffmpeg that write files."""

RATES_PER_OCTAVE = 64
RATE_OCTAVES = 2
"""Bit rates that are tried: from a quarter to four times the target's, 1.1 % apart."""


@dataclass(frozen=True)
class CodecOptions:
    """A card's ``[parameters]``: the encoder, and the latent whose bits its streams take."""

    codec: str
    """A name of :data:`.codecs.CODECS`."""
    preset: str | int
    """The encoder's own name or number of its preset."""
    bits_per_latent_position: float
    """18 for 262,144 codes, 64 for 4 channels of 16 bits."""
    temporal_compression: int
    """Frames a latent frame stands for."""
    spatial_compression: int
    """Pixels along an edge that a latent position stands for."""


class CodecTokenizer(VideoTokenizer):
    """Encodes each clip with the encoder's quantizer searched so that the stream takes the bits of the latent.

    Streams are one group of pictures, 4:2:0, BT.709 of limited range, made by one thread (hence repeatable), and
    counted without container and messages. A stream of at most the target's bits is taken if there is one within 3 %,
    else the nearest; where that is further away, the stream's facts say why. Encoders get each clip's own frame
    rate. Pixels are rounded to 8 bits; frames are padded to even sides of at least 32 pixels.

    Args:
        spec: the card's spec.
        parameters: see :class:`CodecOptions`.
        settings: without effect.

    Raises:
        TokenizerError: if the parameters are wrong or contradict the spec, or ffmpeg lacks the encoder.
    """

    def __init__(self, spec: TokenizerSpec, parameters: Mapping[str, Any], settings: InferenceSettings | None = None):
        super().__init__(spec, settings)
        self.options = config_from(CodecOptions, parameters, spec.name)
        both = ("temporal_compression", "spatial_compression")
        check_agreement(spec, {name: getattr(self.options, name) for name in both})
        if self.options.codec not in CODECS:
            raise TokenizerError(f"{spec.name}: the codec is one of {', '.join(CODECS)}, not {self.options.codec!r}")
        if not PRESET.fullmatch(str(self.options.preset)):
            raise TokenizerError(
                f"{spec.name}: a preset is a word of letters, digits and '-', such as slow, not {self.options.preset!r}"
            )
        if not self.options.bits_per_latent_position > 0:
            raise TokenizerError(f"{spec.name}: bits_per_latent_position must be more than 0")
        self._encoder = _Encoder(CODECS[self.options.codec], str(self.options.preset))
        codec = self._encoder.codec
        if not has_encoder(codec.encoder):
            raise TokenizerError(
                f"{spec.name}: this ffmpeg was built without {codec.encoder}; {OTHER_BINARY.format(codec.library)}"
            )
        self._device = torch.device("cpu")

    @property
    def dtype(self) -> torch.dtype:
        """float32 under every setting: a codec has no weights, and 8-bit pixels must arrive exactly."""
        return torch.float32

    def to(self, device: str | torch.device) -> CodecTokenizer:
        """Give decoded clips on ``device`` from now on; the codec itself runs on the CPU."""
        self._device = torch.device(device)
        return self

    @property
    def encoder_version(self) -> str:
        """The encoder with its preset and version, and ffmpeg's version: what the streams depend on."""
        from imageio_ffmpeg import get_ffmpeg_version

        return f"{self._encoder.description}, ffmpeg {get_ffmpeg_version()}"

    def target_bits(self, num_frames: int, height: int, width: int) -> float:
        """Bits of the latent of a clip; incomplete positions at the borders count as whole ones."""
        first = 1 if self.spec.causal else 0
        frames = first + math.ceil((num_frames - first) / self.options.temporal_compression)
        rows, columns = (math.ceil(size / self.options.spatial_compression) for size in (height, width))
        return frames * rows * columns * self.options.bits_per_latent_position

    def _encode(self, video: Tensor, generators: Sequence[torch.Generator] | None) -> Encoded:
        target_bits = self.target_bits(*video.shape[2:])
        if not video.isfinite().all():
            raise TokenizerError(f"{self.spec.name}: the clip holds NaN or infinite values, which no codec can encode")
        padded = pad_frames(video, (video.shape[2], *_coded_size(*video.shape[3:])))
        pixels = padded.add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 4, 1).cpu().numpy()
        rates = self.clip_fps or [0.0] * len(pixels)
        found = [
            self._encoder.nearest_stream(clip, target_bits, fps or DEFAULT_FPS)
            for clip, fps in zip(pixels, rates, strict=True)
        ]
        return Encoded(
            bitstreams=tuple(outcome.stream for outcome in found),
            bitstream_facts=tuple(
                BitstreamFacts(
                    target_bits=target_bits,
                    off_target=outcome.off_target,
                    container_bytes=self._encoder.codec.container_bytes(outcome.stream),
                    encoder=self._encoder.description,
                )
                for outcome in found
            ),
        )

    def _decode(self, encoded: Encoded) -> Tensor:
        num_frames, height, width = self.legal_shape(encoded.num_frames, encoded.height, encoded.width)
        coded = (num_frames, *_coded_size(height, width), 3)
        clips = [torch.from_numpy(self._encoder.decode(stream, coded)) for stream in encoded.bitstreams]
        pixels = torch.stack(clips)[:, :, :height, :width].permute(0, 4, 1, 2, 3).to(self._device)
        return pixels.float().div(127.5).sub(1)


def _coded_size(height: int, width: int) -> tuple[int, int]:
    """Height and width of the pictures that are encoded."""
    rows, columns = (max(MIN_SIDE, side + side % 2) for side in (height, width))
    return rows, columns


@dataclass(frozen=True)
class _Encoder:
    """A codec at one preset."""

    codec: Codec
    preset: str

    @property
    def description(self) -> str:
        """Encoder, version and preset, in words."""
        return f"{self.codec.title} {self.codec.version}, preset {self.preset}"

    def nearest_stream(self, pixels: np.ndarray, target_bits: float, fps: float) -> SearchOutcome:
        """The stream of (T, H, W, 3) uint8, H and W even, at ``fps`` frames/s, whose bits are nearest to the target.

        Bit rates are tried where no quantizer comes near enough.
        """
        codec = self.codec

        def at_quantizer(index: int) -> bytes:
            return self._encode(pixels, codec.quality.format(quantizer=f"{codec.quantizer(index):g}"), fps)

        def at_rate(index: int) -> bytes:
            octaves = index / RATES_PER_OCTAVE - RATE_OCTAVES
            rate = target_bits * fps / len(pixels) * 2**octaves
            return self._encode(pixels, codec.bitrate.format(rate=round(rate)), fps)

        outcome = search_rate(at_quantizer, codec.count_bits, codec.num_quantizers, target_bits)
        if outcome.off_target == STEP and codec.bitrate:
            num_rates = 2 * RATE_OCTAVES * RATES_PER_OCTAVE + 1
            rated = search_rate(at_rate, codec.count_bits, num_rates, target_bits)
            return nearer(outcome, rated if not rated.off_target else replace(rated, off_target=STEP), target_bits)
        return outcome

    def decode(self, stream: bytes, shape: tuple[int, int, int, int]) -> np.ndarray:
        """The pixels of a stream, uint8 of ``shape`` (T, H, W, 3).

        Raises:
            TokenizerError: if the stream holds another number of frames, or of another size.
        """
        conversion = f"-vf scale=in_color_{COLOUR.format('in')},format=rgb24"
        arguments = f"-f {self.codec.stream_format} -threads 1 -i - -fps_mode passthrough {conversion} -f rawvideo -"
        decoded = run_ffmpeg(arguments.split(), stream)
        if len(decoded) != math.prod(shape):
            raise TokenizerError(f"ffmpeg decoded {len(decoded)} bytes instead of {shape}")
        return np.frombuffer(bytearray(decoded), np.uint8).reshape(shape)

    def _encode(self, pixels: np.ndarray, rate_control: str, fps: float) -> bytes:
        codec = self.codec
        num_frames, height, width = pixels.shape[:3]
        rate = Fraction(fps).limit_denominator(LARGEST_DENOMINATOR)
        raw_input = f"-f rawvideo -pix_fmt rgb24 -s {width}x{height} -r {rate} -i -"
        conversion = f"-vf scale=out_color_{COLOUR.format('out')},format={codec.pixel_format}"
        encoder = f"-c:v {codec.encoder} {codec.preset.format(preset=self.preset)} {rate_control}"
        messages = f"-bsf:v filter_units=remove_types={codec.message_units}" if codec.message_units else ""
        output = f"-g {num_frames} -threads 1 {messages} -f {codec.stream_format} -"
        return run_ffmpeg(f"{raw_input} {conversion} {encoder} {output}".split(), pixels.tobytes())
