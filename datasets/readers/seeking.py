"""Frames from the middle of a video file, for training: it seeks to the key frame before them and decodes from there.

The bench's readers never seek, so that every frame number is exact in any file. Training needs some consecutive frames,
the same ones each time, from files that may be hours long or lie within a shard. Frames are found by their times here.
Where these can't be relied on, the file is decoded from its start.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ..interface import UnreadableVideo
from .container import main_stream, open_container

ERROR_DETECTION = "crccheck+bitstream+buffer+explode"
"""Has FFmpeg end at damage that it would conceal otherwise, as far as it notices any."""

if TYPE_CHECKING:
    from typing_extensions import Buffer

BUFFER_BYTES = 1 << 16
"""Read at once from a shard."""


@dataclass(frozen=True)
class ByteRange:
    """A part of a file."""

    offset: int
    num_bytes: int


class SeekingReader:
    """A video file, or a part of a shard that holds one.

    Args:
        path: of the file.
        title: what errors call the video.
        part: where it lies in the file; ``None``: it is the whole file.

    Raises:
        UnreadableVideo: if it can't be opened, or has no frame rate or no frame.
    """

    def __init__(self, path: Path, title: str, part: ByteRange | None = None):
        self._path = path
        self._title = title
        self._part = part
        self.num_decoded = 0
        """Frames decoded so far, those that were passed over included."""
        container, stream = self._open()
        with container:
            self.fps = float(stream.average_rate or stream.guessed_rate or 0)
            """Average frame rate, frames/s."""
            self.height, self.width = stream.height, stream.width
            """Of its frames before they are turned, in pixels."""
            self._start = float((stream.start_time or 0) * (stream.time_base or 0))
            num_frames = stream.frames or round(_seconds(container, stream) * self.fps)
        if self.fps <= 0:
            raise UnreadableVideo(f"{title}: has no frame rate; re-encode it with one")
        self.num_frames = num_frames or self._count()
        """Frames that the container announces, or that were counted where it is silent."""

    def frames(self, start: int, interval: int, count: int) -> Iterator[np.ndarray]:
        """``count`` frames, every ``interval``-th one from number ``start`` on, each (H, W, 3) uint8 RGB, as shown.

        Where the video ends before the last of them although its container announced them, they are the last ones that
        it has.

        Raises:
            UnreadableVideo: if a frame can't be decoded or is damaged, or there are too few.
        """
        found = self._sought(start, interval, count) if start else None
        if found is None:
            found = self._from_the_start(start, interval, count)
        return map(_to_rgb, found)

    def _sought(self, start: int, interval: int, count: int) -> list[VideoFrame] | None:
        """The frames by their times; ``None`` where seeking doesn't lead to them."""
        time = self._start + start / self.fps
        earliest = time - 0.5 / self.fps
        found: list[VideoFrame] = []
        number = 0
        has_key = False
        container, stream = self._open()
        with container:
            assert stream.time_base is not None
            try:
                container.seek(round(time / stream.time_base), stream=stream)
                for index, frame in enumerate(self._decode(container, stream)):
                    has_key |= frame.key_frame
                    if frame.time is None or (has_key and frame.is_corrupt):
                        return None
                    if not number and frame.time < earliest:
                        continue
                    # Some seeks lead to a key frame behind the place, and frames before a key frame can't be decoded.
                    if not has_key or (index == 0 and frame.time > earliest + 1 / self.fps):
                        return None
                    if number % interval == 0:
                        found.append(frame)
                        if len(found) == count:
                            return found
                    number += 1
            except FFmpegError:
                # Some files can be decoded from their start alone.
                return None
        return None

    def _from_the_start(self, start: int, interval: int, count: int) -> list[VideoFrame]:
        """The frames by their numbers."""
        span = (count - 1) * interval + 1
        found, number = self._numbered(range(start, start + span, interval))
        if len(found) < count:
            if number < span:
                announced = f"{number} of the {self.num_frames} frames its container announces"
                raise UnreadableVideo(f"{self._title}: ends after {announced}")
            found, _ = self._numbered(range(number - span, number, interval))
        return found

    def _numbered(self, wanted: range) -> tuple[list[VideoFrame], int]:
        """Those of these frames that there are, and how many frames were decoded."""
        found: list[VideoFrame] = []
        number = 0
        container, stream = self._open()
        with container:
            try:
                for frame in self._decode(container, stream):
                    if frame.is_corrupt:
                        raise UnreadableVideo(f"{self._title}: frame {number} is damaged")
                    if number in wanted:
                        found.append(frame)
                    number += 1
                    if wanted and len(found) == len(wanted):
                        break
            except FFmpegError as error:
                reason = f"frame {number} can't be decoded ({error.strerror})"
                raise UnreadableVideo(f"{self._title}: {reason}") from None
        return found, number

    def _count(self) -> int:
        """Frames of a file whose container doesn't tell."""
        _, count = self._numbered(range(0))
        if not count:
            raise UnreadableVideo(f"{self._title}: not one frame can be decoded")
        return count

    def _decode(self, container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
        # Frames of several threads are made ahead, which is lost where a clip ends.
        stream.thread_count = 1
        stream.codec_context.options = {"err_detect": ERROR_DETECTION}
        for frame in container.decode(stream):
            if isinstance(frame, VideoFrame):
                self.num_decoded += 1
                yield frame

    def _open(self) -> tuple[InputContainer, VideoStream]:
        if self._part is None:
            return open_container(self._path)
        try:
            container = av.open(io.BufferedReader(_PartOfFile(self._path, self._part), BUFFER_BYTES), "r")
        except (FFmpegError, OSError) as error:
            reason = f"damaged, or no video, so FFmpeg can't open it ({error.strerror})"
            raise UnreadableVideo(f"{self._title}: {reason}") from None
        return container, main_stream(container, self._title)


class _PartOfFile(io.RawIOBase):
    """A part of a file, to be read as if it were one."""

    def __init__(self, path: Path, part: ByteRange):
        self._file = path.open("rb", buffering=0)
        self._part = part
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._part.num_bytes}[whence]
        self._position = max(0, origin + offset)
        return self._position

    def readinto(self, buffer: Buffer) -> int:
        room = memoryview(buffer).cast("B")
        num_left = max(0, self._part.num_bytes - self._position)
        self._file.seek(self._part.offset + self._position)
        num_read = self._file.readinto(room[:num_left]) or 0
        self._position += num_read
        return num_read

    def close(self) -> None:
        self._file.close()
        super().close()


def _seconds(container: InputContainer, stream: VideoStream) -> float:
    """How long the video is; 0 where the container doesn't tell."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return 0.0 if container.duration is None else container.duration / av.time_base


def _to_rgb(frame: VideoFrame) -> np.ndarray:
    pixels = frame.to_ndarray(format="rgb24")
    quarter_turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(pixels, quarter_turns)) if quarter_turns else pixels
