"""The PyAV reader: right on every file FFmpeg can decode."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from av.container import InputContainer
from av.error import FFmpegError, InvalidDataError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ..interface import UnreadableVideo
from .container import ContainerFacts, as_shown, open_container
from .interface import ForwardReader, VideoFacts

COLOUR_MATRICES = {"bt709": "ITU709", "bt601": "ITU601"}
"""Conversion matrices under PyAV's names."""


class PyavReader(ForwardReader):
    """Decodes with PyAV on one thread and applies the display rotation."""

    def __init__(self, path: Path, container: ContainerFacts, colour_matrix: str | None = None):
        """Open a file.

        Args:
            path: the file.
            container: what :func:`inspect_container` found in it. Where packets don't tell the number of frames, the
                file is decoded once to count them.
            colour_matrix: by which a file that names none becomes RGB; ``None``: as the file says, or BT.601.

        Raises:
            UnreadableVideo: if it can't be opened, or no frame decoded.
        """
        super().__init__(str(path))
        self._path = path
        self._matrix = COLOUR_MATRICES[colour_matrix] if colour_matrix else None
        num_present = container.num_packets if container.orderly else _count_frames(path)
        self.facts = VideoFacts(
            num_frames=num_present + container.num_lost,
            fps=container.fps,
            width=container.width,
            height=container.height,
            reader="pyav",
        )
        self._container: InputContainer | None = None
        self._restart()

    def _restart(self) -> None:
        self.close()
        self._container, stream = open_container(self._path)
        self._decoded = _decode(self._container, stream)
        self._failure: str | None = None

    def _decode_next(self) -> VideoFrame:
        if self._failure is not None:
            raise UnreadableVideo(self._failure)
        try:
            return next(self._decoded)
        except StopIteration:
            reason = f"the video ends after {self._position} of the {self.num_frames} frames its container announces"
        except FFmpegError as error:
            reason = f"frame {self._position} of {self.num_frames} can't be decoded ({error.strerror})"
        # Later frames can't be numbered for certain, so a damaged one ends the video.
        self._failure = f"{self.title}: {reason}"
        raise UnreadableVideo(self._failure)

    def _to_rgb(self, decoded: VideoFrame) -> np.ndarray:
        return as_shown(decoded.to_ndarray(format="rgb24", src_colorspace=self._matrix), decoded)

    def close(self) -> None:
        """Close the file."""
        if self._container is not None:
            self._container.close()
            self._container = None


def _decode(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    stream.thread_count = 1
    for frame in container.decode(stream):
        if isinstance(frame, VideoFrame):
            yield frame


def _count_frames(path: Path) -> int:
    """Frames that a file gives when it is decoded, plus one for every packet that is damaged."""
    container, stream = open_container(path)
    count = 0
    with container:
        stream.thread_count = 1
        try:
            for packet in container.demux(stream):
                try:
                    count += len(packet.decode())
                except InvalidDataError:
                    count += 1
        except FFmpegError:
            count += 1
    return count
