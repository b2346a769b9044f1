"""How a source is stored."""

from __future__ import annotations

from ..interface import VideoSource
from .container import open_container

TITLES = {
    "av1": "AV1",
    "h264": "H.264",
    "hevc": "HEVC",
    "mpeg2video": "MPEG-2",
    "mpeg4": "MPEG-4",
    "vp8": "VP8",
    "vp9": "VP9",
}
"""Names of codecs by FFmpeg's."""


def coding_of(source: VideoSource) -> str:
    """The codec of a video file, as ``H.264``; ``raw`` or ``images`` of other sources.

    Raises:
        UnreadableVideo: if the file can't be opened.
    """
    if source.kind != "video":
        return "raw" if source.kind == "yuv" else "images"
    container, stream = open_container(source.path)
    with container:
        name = stream.codec.canonical_name
    return TITLES.get(name, name)
