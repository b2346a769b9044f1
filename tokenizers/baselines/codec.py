"""The codec baseline: H.264 at as many bits as the codes of a discrete tokenizer take."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..interface import Encoded, InferenceSettings, TokenizerError, TokenizerSpec, VideoTokenizer

MAX_CRF = 51.0
"""The coarsest constant rate factor of x264 at 8 bits; 0 is lossless."""
CLOSE_ENOUGH = 0.99
"""Share of the bits allowed that a stream must use for the search to stop."""
MAX_ENCODINGS = 14
"""Halvings of the range of rate factors; the last steps are below 0.01."""

COLOUR = "matrix=bt709:{0}_range=tv:flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
"""Options of ffmpeg's scaler, written out so that encoder and decoder agree: the stream carries no colour tags."""


class CodecTokenizer(VideoTokenizer):
    """Encodes each clip with x264 at the smallest rate factor whose stream isn't larger than the codes it stands for.

    One group of pictures, 4:2:0, one thread (hence repeatable), elementary stream without container; the encoder's own
    advertisement, a supplemental message that no decoder needs, is taken out. If even the coarsest rate factor is too
    large, that stream is taken, and its bits say so. Pixels are rounded to 8 bits; odd sizes are padded to even ones.
    """

    def __init__(self, spec: TokenizerSpec, parameters: dict[str, Any], settings: InferenceSettings | None = None):
        """Make the baseline of a grid of codes.

        Args:
            spec: the card's spec.
            parameters: ``codec`` (``libx264``), ``preset`` of x264, ``bits_per_latent_position`` (18 for 262,144
                codes), ``temporal_compression`` and ``spatial_compression`` of the grid.
            settings: without effect.

        Raises:
            TokenizerError: if the parameters are not exactly these, or the codec is another one.
        """
        super().__init__(spec, settings)
        expected = {"codec", "preset", "bits_per_latent_position", "temporal_compression", "spatial_compression"}
        if set(parameters) != expected:
            raise TokenizerError(f"{spec.name}: the parameters are {', '.join(sorted(expected))}")
        if parameters["codec"] != "libx264":
            raise TokenizerError(f"{spec.name}: the codec is libx264, not {parameters['codec']!r}")
        self._device = torch.device("cpu")
        self._preset: str = parameters["preset"]
        self._bits_per_position: float = parameters["bits_per_latent_position"]
        self._temporal_compression: int = parameters["temporal_compression"]
        self._spatial_compression: int = parameters["spatial_compression"]

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
        """Version of ffmpeg and of the x264 inside it, which the streams depend on."""
        return _encoder_version()

    def target_bits(self, num_frames: int, height: int, width: int) -> float:
        """Bits of the codes that a clip's grid holds; incomplete positions at the borders count as whole ones."""
        first = 1 if self.spec.causal else 0
        frames = first + math.ceil((num_frames - first) / self._temporal_compression)
        rows, columns = (math.ceil(size / self._spatial_compression) for size in (height, width))
        return frames * rows * columns * self._bits_per_position

    def _encode(self, video: Tensor, generators: Sequence[torch.Generator] | None) -> Encoded:
        target_bytes = self.target_bits(*video.shape[2:]) / 8
        even = F.pad(video, (0, video.shape[4] % 2, 0, video.shape[3] % 2, 0, 0), mode="replicate")
        pixels = even.add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 4, 1).cpu().numpy()
        return Encoded(bitstreams=tuple(self._largest_stream(clip, target_bytes) for clip in pixels))

    def _decode(self, encoded: Encoded) -> Tensor:
        num_frames, height, width = self.legal_shape(encoded.num_frames, encoded.height, encoded.width)
        even = (num_frames, height + height % 2, width + width % 2, 3)
        clips = [torch.from_numpy(_decode_stream(stream, even)) for stream in encoded.bitstreams]
        pixels = torch.stack(clips)[:, :, :height, :width].permute(0, 4, 1, 2, 3).to(self._device)
        return pixels.float().div(127.5).sub(1)

    def _largest_stream(self, pixels: np.ndarray, target_bytes: float) -> bytes:
        """The largest stream of at most ``target_bytes``, found by halving the range of rate factors."""
        fine, coarse = 0.0, MAX_CRF
        best = _encode_stream(pixels, self._preset, coarse)
        for _ in range(MAX_ENCODINGS):
            if len(best) >= CLOSE_ENOUGH * target_bytes:
                break
            middle = (fine + coarse) / 2
            stream = _encode_stream(pixels, self._preset, middle)
            if len(stream) > target_bytes:
                fine = middle
            else:
                coarse = middle
                best = max(best, stream, key=len)
        return best


def _encode_stream(pixels: np.ndarray, preset: str, crf: float) -> bytes:
    """Encode (T, H, W, 3) uint8 with even H and W."""
    num_frames, height, width = pixels.shape[:3]
    raw_input = f"-f rawvideo -pix_fmt rgb24 -s {width}x{height} -r 25 -i -"
    conversion = f"-vf scale=out_color_{COLOUR.format('out')},format=yuv420p"
    encoding = f"-c:v libx264 -preset {preset} -crf {crf:.4f} -g {num_frames} -sc_threshold 0 -threads 1"
    # Units of type 6 are supplemental messages: x264 puts its version and options there.
    output = "-bsf:v filter_units=remove_types=6 -f h264 -"
    return _run_ffmpeg(f"{raw_input} {conversion} {encoding} {output}", pixels.tobytes())


def _decode_stream(stream: bytes, shape: tuple[int, int, int, int]) -> np.ndarray:
    """Decode a stream to uint8 of ``shape`` (T, H, W, 3)."""
    conversion = f"-vf scale=in_color_{COLOUR.format('in')},format=rgb24"
    decoded = _run_ffmpeg(f"-f h264 -threads 1 -i - -fps_mode passthrough {conversion} -f rawvideo -", stream)
    if len(decoded) != math.prod(shape):
        raise TokenizerError(f"ffmpeg decoded {len(decoded)} bytes where {shape} were due")
    return np.frombuffer(bytearray(decoded), np.uint8).reshape(shape)


def _run_ffmpeg(arguments: str, data: bytes) -> bytes:
    """What ffmpeg writes to its output given ``data`` as its input; the arguments hold no spaces of their own."""
    from imageio_ffmpeg import get_ffmpeg_exe

    command = [get_ffmpeg_exe(), "-hide_banner", "-loglevel", "error", *arguments.split()]
    finished = subprocess.run(command, input=data, capture_output=True, check=False)
    if finished.returncode != 0 or not finished.stdout:
        # The first lines name the cause, the last ones only what stopped because of it.
        cause = " / ".join(finished.stderr.decode(errors="replace").strip().splitlines()[:3])
        raise TokenizerError(f"ffmpeg failed with status {finished.returncode}: {cause or 'it gave no output'}")
    return finished.stdout


@cache
def _encoder_version() -> str:
    from imageio_ffmpeg import get_ffmpeg_version

    frame = "-f lavfi -i color=s=16x16:r=1 -frames:v 1 -c:v libx264 -f h264 -"
    # x264 introduces itself in its stream as "x264 - core 165 r3222 … - H.264/MPEG-4 AVC codec".
    introduction = _run_ffmpeg(frame, b"").partition(b"x264 - ")[2].partition(b" - ")[0]
    return f"x264 {introduction.decode(errors='replace')}, ffmpeg {get_ffmpeg_version()}"
