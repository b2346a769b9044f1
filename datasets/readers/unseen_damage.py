"""Which video files can be damaged without any decoder noticing."""

from __future__ import annotations

from collections.abc import Iterator

from av.video.codeccontext import VideoCodecContext

from ..interface import VideoSource
from .container import open_container

CHECKED_CODECS = {"h264": "H.264", "av1": "AV1", "vp8": "VP8"}
"""Codecs in which none of 320 damaged files went unnoticed; CAVLC, the older way of H.264, is not among them."""
CODEC_NAMES = {**CHECKED_CODECS, "hevc": "HEVC", "vp9": "VP9", "mpeg4": "MPEG-4", "mpeg2video": "MPEG-2"}
CHECKED_PIXELS = 640 * 360
"""The smallest frames for which that was measured; small frames of few blocks hide more."""
PICTURE_PARAMETERS = 8
"""Type of the H.264 unit that says how a picture is coded (ITU-T H.264, table 7-1)."""
START_CODE = b"\x00\x00\x01"


def unseen_damage(source: VideoSource) -> str:
    """Why damage to a source may go unnoticed, in a few words; empty where it hardly can.

    Raises:
        UnreadableVideo: if the file can't be opened.
    """
    if source.kind == "yuv":
        return "raw"
    if source.kind != "video":
        return "as images"
    container, stream = open_container(source.path)
    with container:
        context: VideoCodecContext = stream.codec_context
        codec, width, height = stream.codec.canonical_name, context.width, context.height
        title = CODEC_NAMES.get(codec, codec)
        if codec not in CHECKED_CODECS:
            return title
        if codec == "h264" and not _is_arithmetic(bytes(context.extradata or b"")):
            return f"{title} with CAVLC"
        return f"{title} of {width}×{height}" if width * height < CHECKED_PIXELS else ""


def _is_arithmetic(extradata: bytes) -> bool:
    """Whether all pictures of an H.264 stream are coded with CABAC: one wrong bit then upsets all that follow."""
    found = [_entropy_coding_mode(unit) for unit in _units(extradata) if unit[0] & 31 == PICTURE_PARAMETERS]
    return bool(found) and all(found)


def _units(extradata: bytes) -> Iterator[bytes]:
    """The units in a stream's header: behind start codes, or as MP4 and Matroska keep them (ISO/IEC 14496-15)."""
    if extradata[:1] != b"\x01":
        yield from (unit for unit in extradata.split(START_CODE) if unit.rstrip(b"\x00"))
        return
    place = 5
    for mask in (31, 255):
        if place >= len(extradata):
            return
        count, place = extradata[place] & mask, place + 1
        for _ in range(count):
            size = int.from_bytes(extradata[place : place + 2], "big")
            if unit := extradata[place + 2 : place + 2 + size]:
                yield unit
            place += 2 + size


def _entropy_coding_mode(unit: bytes) -> bool:
    """``entropy_coding_mode_flag``, which follows two Exp-Golomb codes (ITU-T H.264, 7.3.2.2)."""
    bits = "".join(f"{byte:08b}" for byte in unit[1:9])
    place = 0
    for _ in range(2):
        zeros = len(bits) - place - len(bits[place:].lstrip("0"))
        place += 2 * zeros + 1
    return bits[place : place + 1] == "1"
