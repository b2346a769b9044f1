"""The registry of codecs: how ffmpeg is asked for each, and which quantizers the search for a size tries."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from .ffmpeg import ffmpeg_talk

IVF_HEADER_BYTES = 32
IVF_FRAME_HEADER_BYTES = 12
"""The container IVF: one header for the file, and one for each frame with the frame's size in its first four bytes."""


def no_container(stream: bytes) -> int:
    """0: the stream is elementary."""
    return 0


def ivf_container_bytes(stream: bytes) -> int:
    """Bytes of the headers of an IVF file."""
    position, num_frames = IVF_HEADER_BYTES, 0
    while position < len(stream):
        position += IVF_FRAME_HEADER_BYTES + int.from_bytes(stream[position : position + 4], "little")
        num_frames += 1
    return IVF_HEADER_BYTES + num_frames * IVF_FRAME_HEADER_BYTES


@dataclass(frozen=True)
class Codec:
    """One encoder of ffmpeg, with the way its streams are written and read."""

    encoder: str
    """Name of the encoder in ffmpeg."""
    title: str
    """What the encoder is called: ``x264``."""
    library: str
    """The library that ffmpeg must have been built with."""
    stream_format: str
    """ffmpeg's name of the elementary stream's format, or of the leanest container."""
    preset: str
    """Arguments for a preset, ``{preset}``."""
    quality: str
    """Arguments for a constant quality, ``{quantizer}``."""
    coarsest: float
    finest: float
    """Ends of the range of quantizers."""
    step: float
    """Difference of two quantizers that are tried."""
    version_pattern: str
    """Regular expression with one group, the version, in what the encoder says of itself."""
    bitrate: str = ""
    """Arguments for a bit rate, ``{rate}`` in bit/s, for encoders whose quantizer's steps are wide; empty: none."""
    pixel_format: str = "yuv420p"
    message_units: str = ""
    """Types of units that hold messages (the encoder's advertisement) and no picture; they are taken out."""
    container_bytes: Callable[[bytes], int] = no_container
    """Bytes of a stream that belong to its container."""

    @property
    def num_quantizers(self) -> int:
        """How many quantizers there are."""
        return round((self.coarsest - self.finest) / self.step) + 1

    def quantizer(self, index: int) -> float:
        """The quantizer number ``index``, from the coarsest."""
        return self.coarsest - index * self.step

    def count_bits(self, stream: bytes) -> float:
        """Bits of a stream without its container."""
        return 8.0 * (len(stream) - self.container_bytes(stream))

    @property
    def version(self) -> str:
        """The encoder's version, as it says itself while it encodes a frame; ``of unknown version`` if it doesn't.

        Raises:
            FfmpegError: if ffmpeg can't encode.
        """
        return _version(self)


@cache
def _version(codec: Codec) -> str:
    picture = f"-f lavfi -i color=s=64x64:r=25 -frames:v 1 -pix_fmt {codec.pixel_format}"
    said = ffmpeg_talk([*picture.split(), *f"-c:v {codec.encoder} -f {codec.stream_format} -".split()])
    found = re.search(codec.version_pattern, said)
    return found[1].strip() if found else "of unknown version"


CODECS: dict[str, Codec] = {
    codec.encoder: codec
    for codec in (
        Codec(
            encoder="libx264",
            title="x264",
            library="libx264",
            stream_format="h264",
            preset="-preset {preset}",
            quality="-crf {quantizer} -sc_threshold 0",
            coarsest=51,
            finest=0,
            step=0.05,
            version_pattern=r"x264 - (core .*?) - H\.264",
            message_units="6",
        ),
        Codec(
            encoder="libx265",
            title="x265",
            library="libx265",
            stream_format="hevc",
            preset="-preset {preset}",
            quality="-crf {quantizer} -x265-params log-level=error:pools=none:frame-threads=1:scenecut=0",
            coarsest=51,
            finest=0,
            step=0.05,
            version_pattern=r"HEVC encoder version (\S+)",
            message_units="39|40",
        ),
        Codec(
            encoder="libsvtav1",
            title="SVT-AV1",
            library="libsvtav1",
            stream_format="obu",
            preset="-preset {preset}",
            # Quarters of a quantizer pass through the encoder's own parameters alone.
            quality="-svtav1-params lp=1:scd=0:crf={quantizer}",
            coarsest=70,
            finest=0,
            step=0.25,
            version_pattern=r"SVT-AV1 Encoder Lib (\S+)",
        ),
        Codec(
            encoder="libvpx-vp9",
            title="libvpx",
            library="libvpx",
            stream_format="ivf",
            preset="-deadline good -cpu-used {preset}",
            quality="-b:v 0 -crf {quantizer}",
            coarsest=63,
            finest=0,
            step=1,
            version_pattern=r"\[libvpx-vp9 @ \w+\] (v\S+)",
            bitrate="-b:v {rate}",
            container_bytes=ivf_container_bytes,
        ),
        Codec(
            encoder="libvvenc",
            title="VVenC",
            library="libvvenc",
            stream_format="vvc",
            preset="-preset {preset}",
            quality="-qp {quantizer}",
            coarsest=63,
            finest=0,
            step=1,
            version_pattern=r"libvvenc version: (\S+)",
            bitrate="-b:v {rate}",
            pixel_format="yuv420p10le",
            message_units="23|24",
        ),
    )
}
"""Codecs by the name of their encoder in ffmpeg."""
