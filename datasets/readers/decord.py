"""The decord reader: fast on short, orderly H.264, HEVC and VP9 files; it keeps a whole clip's frames in memory."""

from __future__ import annotations

import importlib.util
import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from ..interface import UnreadableVideo
from .container import ORDERLY_FORMATS, ContainerFacts
from .interface import ForwardReader, VideoFacts

CODECS = ("h264", "hevc", "vp9")
PIXEL_FORMATS = ("yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "gbrp")
"""Formats whose frames were found equal to FFmpeg's, bit for bit."""
SMALLEST_WIDTH = 64
"""Pixels. Rows are padded to a multiple of 64 bytes, and decord takes the padding of narrow ones for more channels."""


def objection_to_decord(container: ContainerFacts) -> str | None:
    """Why decord must not read a file, or ``None`` if its frames are right.

    decord 0.6 silently repeats or mixes frames of files outside these bounds, or stops with an error.
    """
    if importlib.util.find_spec("decord") is None:
        return "decord is not installed (there are no packages of it for this platform)"
    if container.format not in ORDERLY_FORMATS:
        return f"decord isn't reliable on {container.format} containers"
    if container.codec not in CODECS:
        return f"decord isn't reliable on the codec {container.codec}"
    if container.pixel_format not in PIXEL_FORMATS:
        return f"decord isn't reliable on the pixel format {container.pixel_format}"
    if container.width < SMALLEST_WIDTH:
        return f"decord isn't reliable on frames narrower than {SMALLEST_WIDTH} pixels"
    if container.interlaced:
        return "the video is interlaced"
    if container.num_discarded:
        return f"an edit list leaves out {container.num_discarded} of {container.num_packets} packets"
    if container.num_lost:
        return f"{container.num_lost} of the frames that the container announces are missing"
    if not container.orderly:
        return "its packets don't tell the number of frames"
    return None


class DecordReader(ForwardReader):
    """Decodes with decord on one thread; decord applies the display rotation itself."""

    def __init__(self, path: Path, container: ContainerFacts):
        """Open a file that :func:`objection_to_decord` has nothing against.

        Raises:
            UnreadableVideo: if decord can't open it, or counts other frames than the container's packets.
        """
        super().__init__(str(path))
        self._path = path
        self._video: Any = self._open()
        if len(self._video) != container.num_packets:
            raise UnreadableVideo(f"{path}: decord counts {len(self._video)} frames of {container.num_packets} packets")
        self.facts = VideoFacts(
            num_frames=container.num_packets,
            fps=container.fps,
            width=container.width,
            height=container.height,
            reader="decord",
        )

    def _open(self) -> Any:
        import decord

        decord.logging.set_level(decord.logging.QUIET)
        try:
            return decord.VideoReader(_utf8_name(self._path), ctx=decord.cpu(0), num_threads=1)
        except UnicodeDecodeError:
            raise UnreadableVideo(f"{self._path}: decord takes no file name that isn't UTF-8") from None
        except (decord.DECORDError, RuntimeError, OSError) as error:
            raise UnreadableVideo(f"{self._path}: decord can't open it ({_without_location(error)})") from None

    def _restart(self) -> None:
        self._video = self._open()

    def _decode_next(self) -> Any:
        import decord

        # get_batch seeks wherever a frame is left out, and seeks wrongly into open groups of pictures.
        try:
            return self._video.next()
        except (decord.DECORDError, StopIteration) as error:
            reason = f"decord can't decode frame {self._position} of {self.num_frames} ({_without_location(error)})"
            raise UnreadableVideo(f"{self._path}: {reason}") from None

    def _to_rgb(self, decoded: Any) -> np.ndarray:
        return decoded.asnumpy()

    def close(self) -> None:
        """Free the decoded frames."""
        self._video = None


def _utf8_name(path: Path) -> str:
    """The name as decord encodes it, whatever the locale is; raises ``UnicodeDecodeError`` if it isn't UTF-8."""
    return os.fsencode(path).decode()


def _without_location(error: Exception) -> str:
    """The message without times, source lines and stack trace, so that it is the same in every run."""
    message = (str(error).strip() or type(error).__name__).splitlines()[0]
    return re.sub(r"\[[\d:]+\] \S+:\d+: ", "", message)
