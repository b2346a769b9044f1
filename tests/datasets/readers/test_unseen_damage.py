"""Files in which damage could go unnoticed are named."""

from __future__ import annotations

from pathlib import Path

import pytest
from numbered_video import write_numbered
from toklab.datasets.interface import UnreadableVideo, VideoSource
from toklab.datasets.readers.unseen_damage import unseen_damage
from toklab.datasets.readers.worker_process import OpenSource

LARGE = ("-vf", "scale=640:360", "-pix_fmt", "yuv420p")
X264 = ("-c:v", "libx264", *LARGE)


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize(("profile", "kind"), [("high", ""), ("baseline", "H.264 with CAVLC")])
def test_h264_is_safe_with_arithmetic_coding_only(tmp_path: Path, ending: str, profile: str, kind: str) -> None:
    path = write_numbered(tmp_path / f"v.{ending}", 2, *X264, "-profile:v", profile)
    assert unseen_damage(VideoSource("v", path)) == kind


def test_cavlc_is_found_in_any_profile(tmp_path: Path) -> None:
    path = write_numbered(tmp_path / "v.mp4", 2, *X264, "-profile:v", "high", "-coder", "vlc")
    assert unseen_damage(VideoSource("v", path)) == "H.264 with CAVLC"


@pytest.mark.parametrize(
    ("name", "options", "kind"),
    [
        ("small.mp4", ("-c:v", "libx264", "-pix_fmt", "yuv420p"), "H.264 of 128×64"),
        ("v.mp4", ("-c:v", "libx265", *LARGE, "-x265-params", "log-level=none"), "HEVC"),
        ("v.avi", ("-c:v", "mpeg4", *LARGE), "MPEG-4"),
        ("v.webm", ("-c:v", "libvpx", *LARGE), ""),
        ("v.mkv", ("-c:v", "mjpeg", *LARGE), "mjpeg"),
    ],
)
def test_other_codecs_by_what_was_measured(tmp_path: Path, name: str, options: tuple[str, ...], kind: str) -> None:
    source = VideoSource(name, write_numbered(tmp_path / name, 2, *options))
    assert unseen_damage(source) == kind
    assert OpenSource().probe(source, "auto").unseen_damage == kind


def test_what_isn_t_compressed_video_has_no_checks(tmp_path: Path) -> None:
    assert unseen_damage(VideoSource("v", tmp_path / "v.yuv", "yuv")) == "raw"
    assert unseen_damage(VideoSource("v", tmp_path, "images")) == "as images"
    with pytest.raises(UnreadableVideo, match="no such file"):
        unseen_damage(VideoSource("v", tmp_path / "v.mp4"))
