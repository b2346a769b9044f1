"""How a source is stored."""

from __future__ import annotations

from pathlib import Path

import pytest
from numbered_video import write_numbered
from toklab.datasets.interface import UnreadableVideo, VideoSource
from toklab.datasets.readers.coding import coding_of
from toklab.datasets.readers.worker_process import OpenSource


@pytest.mark.parametrize(
    ("name", "codec", "title"),
    [
        ("v.mp4", "libx264", "H.264"),
        ("v.mkv", "libx265", "HEVC"),
        ("v.avi", "mpeg4", "MPEG-4"),
        ("v.webm", "libvpx", "VP8"),
        ("v.mov", "mjpeg", "mjpeg"),
    ],
)
def test_the_codec_of_a_file(tmp_path: Path, name: str, codec: str, title: str) -> None:
    source = VideoSource(name, write_numbered(tmp_path / name, 2, "-c:v", codec, "-pix_fmt", "yuv420p"))
    assert coding_of(source) == title
    assert OpenSource().probe(source, "auto").coding == title


def test_what_is_no_compressed_video(tmp_path: Path) -> None:
    assert coding_of(VideoSource("v", tmp_path / "v.yuv", "yuv")) == "raw"
    assert coding_of(VideoSource("v", tmp_path, "images")) == "images"
    with pytest.raises(UnreadableVideo, match="no such file"):
        coding_of(VideoSource("v", tmp_path / "v.mp4"))
