"""Damage in compressed video: the first frame of a file from which on its frames can't be relied on.

Decoders conceal damage: they give a picture all the same, and most callers never hear of it. Here a file is decoded
once more, in order, and every sign counts: frames that the decoder marks, packets it refuses, errors it logs. FFmpeg's
decoders of HEVC, VP8 and VP9 check next to nothing. Files of these are decoded in a second way too, and both ways must
give the same frames. For VP8 and VP9 that is libvpx. For HEVC it is one thread for each row of blocks: every row then
starts where the stream says, and not where the row before ended.

A sign shows that a file is damaged, but not that the frames just before it are right: what was damaged there may have
gone unnoticed. So the damage is taken to begin with the group of pictures that shows it. In codecs whose damage often
goes unnoticed, the whole file is such a group.
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
PRECISE = ("h264", "hevc", "av1")
"""Codecs whose arithmetic coding loses its way after nearly every flipped bit, so that it shows in the same group."""
IMPRECISE_PROFILE = "Baseline"
"""The profile of H.264 without arithmetic coding."""
LONGEST_GROUP = 600
"""Frames after which a group counts as ended, so that nobody waits long where key frames are rare."""
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
    """The first frame of the group of pictures that shows the damage; no frame from there on is reliable."""
    sign: str
    """What tells it."""

    def __str__(self) -> str:
        return f"damaged from frame {self.frame} on ({self.sign})"


class _Decoded(NamedTuple):
    frame: VideoFrame | None
    """``None``: a packet without a frame that shows damage."""
    group: int
    """Number of the group of pictures, in the order of decoding."""
    sign: str
    """What shows damage; empty if nothing does."""


class DamageWatch:
    """Looks for damage in a file, as far into it as is asked."""

    def __init__(self, path: Path):
        """Args: a video file; nothing is opened before the first question."""
        self._path = path
        self._decoded: Iterator[_Decoded] | None = None
        self._is_finished = False
        self._groups: list[int] = []
        self._damaged_group: int | None = None
        self._sign = ""

    def damage_through(self, frame_id: int) -> Damage | None:
        """The file's damage, if it begins at ``frame_id`` or before.

        Decodes to the end of the group of pictures that ``frame_id`` is in; what was looked at before isn't again.

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
                self._groups.append(decoded.group)
            if decoded.sign and self._damaged_group is None:
                self._damaged_group, self._sign = decoded.group, decoded.sign
        first = self._first_damaged()
        return Damage(first, self._sign) if first is not None and first <= frame_id else None

    def close(self) -> None:
        """Close the file."""
        self._decoded = None

    def _is_settled(self, frame_id: int) -> bool:
        if self._damaged_group is not None and self._groups and self._groups[-1] >= self._damaged_group:
            return True
        return len(self._groups) > frame_id and self._groups[-1] > self._groups[frame_id]

    def _first_damaged(self) -> int | None:
        if self._damaged_group is None:
            return None
        damaged = (index for index, group in enumerate(self._groups) if group >= (self._damaged_group or 0))
        return next(damaged, len(self._groups))


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
    """Every frame of a file in order, and every sign of damage, with the group of pictures where it appeared."""
    with _logged_errors() as errors:
        container, stream = open_container(path)
    group = group_start = num_packets = 0
    group_of: dict[int, int] = {}
    with container:
        context: VideoCodecContext = stream.codec_context
        is_precise = stream.codec.canonical_name in PRECISE and IMPRECISE_PROFILE not in (context.profile or "")
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
                        failure = "the container marks a packet as damaged"
                    if packet.pts is not None:
                        # Packets without a time can't be told apart later: they stay in the group that is open.
                        is_new = (is_precise and packet.is_keyframe) or num_packets - group_start >= LONGEST_GROUP
                        if num_packets and is_new:
                            group, group_start = group + 1, num_packets
                        group_of[packet.pts] = group
                        num_packets += 1
                    decoded = context.decode(None if is_last else packet)
                    frames = [frame for frame in decoded if isinstance(frame, VideoFrame)]
                except StopIteration:
                    return
                except (FFmpegError, EOFError) as error:
                    failure = str(getattr(error, "strerror", "") or type(error).__name__)
            if sign := next(iter(errors), failure):
                yield _Decoded(None, group, sign)
            failure = ""
            for frame in frames:
                marked = "the decoder marks a frame as damaged" if frame.is_corrupt else ""
                known = group if frame.pts is None else group_of.pop(frame.pts, group)
                yield _Decoded(frame, known, marked)


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
