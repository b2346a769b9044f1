"""Damage in compressed video: the first frame of a file from which on its frames can't be relied on.

Decoders conceal damage: they give a picture all the same, and most callers never hear of it. Here a file is decoded
once more, in order, and every sign counts: frames that the decoder marks, packets it refuses, errors it logs. FFmpeg's
decoders of HEVC, VP8 and VP9 check next to nothing. Files of these are decoded in a second way too, and both ways must
give the same frames. For VP8 and VP9 that is libvpx. For HEVC it is one thread for each row of blocks: every row then
starts where the stream says, and not where the row before ended.

A sign shows that a file is damaged, but not that the frames before it are right: what was damaged there may have gone
unnoticed. So no frame of the stretch that shows a sign is relied on, and most files are a single stretch. A file that
merely ends too early is another matter: the frames before its last group of pictures are right.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, cast

import av
import av.logging
import numpy as np
from av.codec.codec import UnknownCodecError
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane

from .container import open_container

ERROR_DETECTION = "crccheck+bitstream+buffer"
"""FFmpeg's checks that no healthy file fails; ``aggressive`` refuses healthy ones."""
SECOND_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9", "hevc": "hevc"}
"""Codecs that FFmpeg decodes without checks, and what decodes them a second time."""
WAVEFRONT_THREADS = 2
STRETCH_FRAMES = 600
"""Frames that are looked through before any of them is relied on; a bound for very long files."""
CUT_SHORT = ("the file ends within a packet", "File ended prematurely")
"""Signs of a file that merely ends too early: what :mod:`av` marks, and what FFmpeg logs of Matroska."""
UNNEEDED_STEPS = {"h264": {"skip_loop_filter": "all", "skip_idct": "all"}}
"""Steps that change pixels and find no damage; where frames aren't compared they are left out, for speed."""
HARMLESS_MESSAGES = (
    "co located POCs unavailable",
    "mmco: unref short failure",
    "number of reference frames",
    "Missing reference picture",
    "reference picture missing during reorder",
)
"""Errors that decoders log of healthy streams that were cut at other than a key frame."""


@dataclass(frozen=True)
class Damage:
    """Where a file's frames cease to be reliable."""

    frame: int
    """No frame from this one on is reliable."""
    sign: str
    """What tells it."""

    def __str__(self) -> str:
        return f"damaged from frame {self.frame} on ({self.sign})"


class _Decoded(NamedTuple):
    frame: VideoFrame | None
    """``None``: a packet without a frame that shows damage."""
    packet: int
    """Number of the packet, in the order of decoding."""
    sign: str
    """What shows damage; empty if nothing does."""
    since: int = 0
    """The first packet that a sign makes unreliable."""


class DamageWatch:
    """Looks for damage in a file, as far into it as is asked."""

    def __init__(self, path: Path):
        """Args: a video file; nothing is opened before the first question."""
        self._path = path
        self._decoded: Iterator[_Decoded] | None = None
        self._is_finished = False
        self._packets: list[int] = []
        self._since: int | None = None
        self._sign = ""

    def damage_through(self, frame_id: int) -> Damage | None:
        """The file's damage, if it begins at ``frame_id`` or before.

        Decodes to the end of the stretch that ``frame_id`` is in; what was looked at before isn't again.

        Raises:
            UnreadableVideo: if the file can't be opened.
        """
        if self._decoded is None:
            self._decoded = _decode_twice(self._path)
        while not self._is_finished and not self._is_settled(frame_id):
            decoded = next(self._decoded, None)
            if decoded is None:
                self._is_finished = True
                break
            if decoded.frame is not None:
                self._packets.append(decoded.packet)
            if decoded.sign and self._since is None:
                self._since, self._sign = decoded.since, decoded.sign
        first = self._first_damaged()
        return Damage(first, self._sign) if first is not None and first <= frame_id else None

    def close(self) -> None:
        """Close the file."""
        self._decoded = None

    def _is_settled(self, frame_id: int) -> bool:
        if not self._packets:
            return False
        if self._since is not None:
            return self._packets[-1] >= self._since
        if len(self._packets) <= frame_id:
            return False
        return self._packets[-1] // STRETCH_FRAMES > self._packets[frame_id] // STRETCH_FRAMES

    def _first_damaged(self) -> int | None:
        since = self._since
        if since is None:
            return None
        damaged = (index for index, packet in enumerate(self._packets) if packet >= since)
        return next(damaged, len(self._packets))


def _decode_twice(path: Path) -> Iterator[_Decoded]:
    """Every frame as the plain decoder gives it, compared with the second decoder's if the codec has one."""
    container, stream = open_container(path)
    codec = stream.codec.canonical_name
    container.close()
    second = SECOND_DECODERS.get(codec)
    if second is None or not _has_decoder(second):
        yield from _decode(path, UNNEEDED_STEPS.get(codec, {}))
        return
    others = _decode(path, {}, second, WAVEFRONT_THREADS if second == codec else 1)
    for decoded in _decode(path, {}):
        if decoded.frame is None:
            yield decoded
            continue
        other = next(others, None)
        while other is not None and other.frame is None:
            yield other
            other = next(others, None)
        sign = decoded.sign or (other.sign if other is not None else "")
        if not sign and not (other and other.frame and _same_pixels(decoded.frame, other.frame)):
            sign = "two ways of decoding give different frames"
        yield decoded._replace(sign=sign)


def _has_decoder(name: str) -> bool:
    try:
        av.Codec(name, "r")
    except UnknownCodecError:
        return False
    return True


def _decode(path: Path, options: dict[str, str], decoder: str = "", num_threads: int = 1) -> Iterator[_Decoded]:
    """Every frame of a file in order, and every sign of damage."""
    with _logged_errors() as errors:
        container, stream = open_container(path)
    number, group_start = -1, 0
    number_of: dict[int, int] = {}
    with container:
        context: VideoCodecContext = stream.codec_context
        if decoder:
            context = cast(VideoCodecContext, av.CodecContext.create(decoder, "r"))
            context.extradata = stream.codec_context.extradata
        context.thread_count = num_threads
        context.thread_type = "SLICE"
        context.options = {"err_detect": ERROR_DETECTION, **options}
        packets = container.demux(stream)
        failure, is_last = next(iter(errors), ""), False
        while not is_last:
            frames: list[VideoFrame] = []
            with _logged_errors() as errors:
                try:
                    packet = next(packets)
                    is_last = packet.size == 0
                    if packet.is_corrupt:
                        failure = CUT_SHORT[0]
                    if packet.pts is not None:
                        # Packets without a time can't be told apart later: they count as the one before.
                        number += 1
                        if packet.is_keyframe:
                            group_start = number
                        number_of[packet.pts] = number
                    decoded = context.decode(None if is_last else packet)
                    frames = [frame for frame in decoded if isinstance(frame, VideoFrame)]
                except StopIteration:
                    return
                except (FFmpegError, EOFError) as error:
                    failure = failure or str(getattr(error, "strerror", "") or type(error).__name__)
            stretch_start = max(number, 0) // STRETCH_FRAMES * STRETCH_FRAMES
            if sign := failure or next(iter(errors), ""):
                is_cut = any(cut in sign for cut in CUT_SHORT)
                yield _Decoded(None, number, sign, group_start if is_cut else stretch_start)
            failure = ""
            for frame in frames:
                marked = "the decoder marks a frame as damaged" if frame.is_corrupt else ""
                known = number if frame.pts is None else number_of.pop(frame.pts, number)
                yield _Decoded(frame, known, marked, known // STRETCH_FRAMES * STRETCH_FRAMES)


@contextmanager
def _logged_errors() -> Iterator[list[str]]:
    """What FFmpeg logs as errors inside the block, but for harmless messages; filled in at the end of the block."""
    found: list[str] = []
    level, skips = av.logging.get_level(), av.logging.get_skip_repeated()
    av.logging.set_level(av.logging.ERROR)
    av.logging.set_skip_repeated(False)
    try:
        with av.logging.Capture(local=False) as lines:
            yield found
    finally:
        av.logging.set_level(level)
        av.logging.set_skip_repeated(skips)
    messages = (f"{name}: {message.strip()}" for level, name, message in lines if level <= av.logging.ERROR)
    found += [text for text in messages if not any(harmless in text for harmless in HARMLESS_MESSAGES)]


def _same_pixels(first: VideoFrame, second: VideoFrame) -> bool:
    """Whether two frames of planar pixels are equal, whatever pads their rows."""
    if (first.width, first.height, first.format.name) != (second.width, second.height, second.format.name):
        return False
    sample_bytes = 2 if first.format.components[0].bits > 8 else 1
    return all(
        np.array_equal(_pixels(one, sample_bytes), _pixels(other, sample_bytes))
        for one, other in zip(first.planes, second.planes, strict=True)
    )


def _pixels(plane: VideoPlane, sample_bytes: int) -> np.ndarray:
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return rows[: plane.height, : plane.width * sample_bytes]
