"""What a video file's container says, found by reading its packets without decoding them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
from av.container import InputContainer
from av.error import FFmpegError, InvalidDataError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ..interface import UnreadableVideo

ORDERLY_CODECS = ("h264", "hevc", "vp9", "av1")
"""Codecs that put exactly one shown frame into each packet of the containers below."""
ORDERLY_FORMATS = ("mov", "matroska")
UNSPECIFIED_MATRIX = 2
"""Of the matrix coefficients of ITU-T H.273."""
MISSING_SECONDS = 1.0
"""A Matroska file whose packets end this much before its announced duration was cut off."""


@dataclass(frozen=True)
class ContainerFacts:
    """The video stream of a file, before its frames are decoded."""

    format: str
    """First name of FFmpeg's demuxer: ``mov``, ``matroska``, ``mpegts``."""
    codec: str
    pixel_format: str
    bit_depth: int
    """Bits of the first component."""
    width: int
    """Of the frames as they are shown, in pixels."""
    height: int
    fps: float
    """Average frame rate, frames/s."""
    interlaced: bool
    names_matrix: bool
    """Whether the stream says by which matrix its colours become RGB, or holds RGB itself."""
    num_packets: int
    """Packets that are there, those outside the edit list included."""
    num_discarded: int
    """Packets that the edit list leaves out."""
    num_lost: int
    """Frames that the container announces and that are not in the file."""
    orderly: bool
    """Whether each packet is known to give one frame, so that counting packets counts frames."""


def open_container(path: Path) -> tuple[InputContainer, VideoStream]:
    """Open a file and its main video stream.

    Raises:
        UnreadableVideo: if the file isn't there, is no regular file or empty, or holds no video.
    """
    if not path.exists():
        raise UnreadableVideo(f"{path}: there is no such file")
    if not path.is_file():
        raise UnreadableVideo(f"{path}: is not a regular file")
    if path.stat().st_size == 0:
        raise UnreadableVideo(f"{path}: the file is empty (0 bytes)")
    try:
        container = av.open(str(path))
    except (FFmpegError, OSError) as error:
        raise UnreadableVideo(
            f"{path}: damaged, cut off, or no video, so FFmpeg can't open it ({error.strerror})"
        ) from None
    return container, main_stream(container, str(path))


def main_stream(container: InputContainer, title: str) -> VideoStream:
    """The main video stream of an open file, which is closed where there is none.

    Raises:
        UnreadableVideo: if it holds no video, or none that can be decoded; ``title`` names the file.
    """
    stream = container.streams.best("video")
    if not isinstance(stream, VideoStream):
        container.close()
        raise UnreadableVideo(f"{title}: holds no video stream")
    if getattr(stream, "codec_context", None) is None:
        container.close()
        raise UnreadableVideo(f"{title}: no decoder is known for its video stream; it may be damaged")
    return stream


def inspect_container(path: Path) -> ContainerFacts:
    """Read a file's packets and its first frame.

    Raises:
        UnreadableVideo: if the file can't be opened, or not one frame of it can be decoded.
    """
    container, stream = open_container(path)
    with container:
        frame = _first_frame(path, container, stream)
    container, stream = open_container(path)
    with container:
        packets = _read_packets(container, stream)
        file_format = container.format.name.split(",")[0]
        codec = stream.codec.canonical_name
        fps = float(stream.average_rate or stream.guessed_rate or 0)
        announced, duration = stream.frames, container.duration
    if fps <= 0:
        raise UnreadableVideo(f"{path}: has no frame rate; re-encode it with one")
    num_lost = 0
    if file_format == "mov":
        num_lost = max(0, announced - packets.count)
    elif file_format == "matroska" and duration is not None:
        missing_seconds = duration / av.time_base - packets.end_seconds
        num_lost = round(missing_seconds * fps) if missing_seconds > MISSING_SECONDS else 0
    turned = frame.rotation % 180 != 0
    return ContainerFacts(
        format=file_format,
        codec=codec,
        pixel_format=frame.format.name,
        bit_depth=frame.format.components[0].bits,
        width=frame.height if turned else frame.width,
        height=frame.width if turned else frame.height,
        fps=fps,
        interlaced=frame.interlaced_frame,
        names_matrix=int(frame.colorspace) != UNSPECIFIED_MATRIX or frame.format.is_rgb,
        num_packets=packets.count,
        num_discarded=packets.num_discarded,
        num_lost=num_lost,
        orderly=(
            file_format in ORDERLY_FORMATS
            and codec in ORDERLY_CODECS
            and packets.num_discarded == 0
            and packets.all_shown_after_first
        ),
    )


@dataclass(frozen=True)
class _Packets:
    count: int
    num_discarded: int
    all_shown_after_first: bool
    end_seconds: float


def _read_packets(container: InputContainer, stream: VideoStream) -> _Packets:
    """Go through the packets of every stream; a file that breaks off in mid-packet ends there."""
    count = num_discarded = 0
    first_time: int | None = None
    in_order = True
    end_seconds = 0.0
    try:
        for packet in container.demux():
            if packet.size == 0:
                continue
            if packet.pts is not None:
                end_seconds = max(end_seconds, float((packet.pts + (packet.duration or 0)) * packet.time_base))
            if packet.stream.index != stream.index:
                continue
            if count == 0:
                first_time = packet.pts
            count += 1
            num_discarded += packet.is_discard
            in_order &= packet.pts is not None and first_time is not None and packet.pts >= first_time
    except FFmpegError:
        in_order = False
    return _Packets(count, num_discarded, in_order, end_seconds)


def _first_frame(path: Path, container: InputContainer, stream: VideoStream) -> VideoFrame:
    try:
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except InvalidDataError:
                continue
            for frame in frames:
                if isinstance(frame, VideoFrame):
                    return frame
    except FFmpegError as error:
        raise UnreadableVideo(f"{path}: not one frame can be decoded ({error})") from None
    raise UnreadableVideo(f"{path}: not one frame can be decoded")
