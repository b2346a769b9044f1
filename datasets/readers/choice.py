"""Which reader opens a source."""

from __future__ import annotations

from typing import Literal

from ..interface import UnreadableVideo, VideoSource
from .container import ContainerFacts, inspect_container
from .decord import DecordReader, objection_to_decord
from .images import ImagesReader
from .interface import VideoReader
from .pyav import PyavReader
from .yuv import YuvReader

ReaderChoice = Literal["auto", "decord", "pyav"]

UNTAGGED_MATRIX = "bt601"
"""By which FFmpeg, and so decord, converts files that name no colour matrix."""
MAX_DECODED_BYTES = 2 * 1024**3
"""Videos whose RGB frames take more than this go to PyAV: decord keeps every decoded frame of a file in memory."""


def open_reader(source: VideoSource, reader: ReaderChoice = "auto") -> VideoReader:
    """Open a source with the reader that is right for it.

    Args:
        source: raw video and images have their own readers, whatever ``reader`` says.
        reader: ``auto`` takes decord for the video files it reads rightly within bounded memory, otherwise PyAV;
            ``decord`` and ``pyav`` insist.

    Raises:
        UnreadableVideo: if the source can't be read, or not rightly by the reader that was insisted on.
    """
    if source.kind == "yuv":
        return YuvReader(source)
    if source.kind in ("image", "images"):
        return ImagesReader(source)
    container = inspect_container(source.path)
    objection = objection_to_decord(container)
    matrix = None if container.names_matrix else source.colour_matrix
    if matrix not in (None, UNTAGGED_MATRIX):
        objection = f"decord converts files that name no colour matrix by {UNTAGGED_MATRIX}, not by {matrix}"
    if reader == "decord":
        if objection is not None:
            raise UnreadableVideo(f"{source.path}: {objection}; use the reader auto or pyav")
        return DecordReader(source.path, container)
    if reader == "auto" and objection is None and _decoded_bytes(container) <= MAX_DECODED_BYTES:
        try:
            return DecordReader(source.path, container)
        except UnreadableVideo:
            return PyavReader(source.path, container, matrix)
    return PyavReader(source.path, container, matrix)


def _decoded_bytes(container: ContainerFacts) -> int:
    return container.num_packets * container.width * container.height * 3
