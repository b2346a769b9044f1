from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numbered_video import read_numbers, write_numbered
from toklab.datasets.interface import UnreadableVideo, VideoSource
from toklab.datasets.readers.choice import open_reader
from toklab.datasets.readers.seeking import ByteRange, SeekingReader

NUM_FRAMES = 90
ENCODINGS = {
    "closed.mp4": ("-c:v", "libx264", "-g", "12", "-bf", "3", "-pix_fmt", "yuv420p"),
    "open.mkv": ("-c:v", "libx264", "-g", "12", "-bf", "3", "-x264-params", "open-gop=1", "-pix_fmt", "yuv420p"),
    "one-key.mp4": ("-c:v", "libx264", "-g", "500", "-sc_threshold", "0", "-pix_fmt", "yuv420p"),
    "stream.ts": ("-c:v", "libx264", "-g", "12", "-bf", "2", "-pix_fmt", "yuv420p"),
    "no-times.h264": ("-c:v", "libx264", "-g", "12", "-bf", "0", "-pix_fmt", "yuv420p"),
    "vp9.webm": ("-c:v", "libvpx-vp9", "-g", "12", "-deadline", "realtime", "-cpu-used", "8"),
}


@pytest.fixture(scope="module", params=ENCODINGS)
def video(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of 90 numbered frames, in every encoding."""
    path = tmp_path_factory.mktemp("numbered") / request.param
    return write_numbered(path, NUM_FRAMES, *ENCODINGS[request.param])


def numbers(frames: Iterator[np.ndarray]) -> list[int]:
    return read_numbers(np.stack(list(frames)))


@pytest.mark.slow
def test_frames_are_those_of_their_numbers(video: Path) -> None:
    reader = SeekingReader(video, video.name)
    assert reader.fps == pytest.approx(30, rel=0.02) or video.suffix == ".h264"

    @settings(max_examples=12, deadline=None, database=None)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        interval, count = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 6))
        start = data.draw(st.integers(0, NUM_FRAMES - (count - 1) * interval - 1))
        wanted = list(range(start, start + (count - 1) * interval + 1, interval))
        assert numbers(reader.frames(start, interval, count)) == wanted

    check()


@pytest.mark.slow
def test_seeking_saves_decoding(tmp_path: Path) -> None:
    video = write_numbered(tmp_path / "a.mp4", NUM_FRAMES, *ENCODINGS["closed.mp4"])
    reader = SeekingReader(video, "a")
    assert numbers(reader.frames(80, 2, 3)) == [80, 82, 84]
    assert reader.num_decoded <= 12 + 5


@pytest.mark.slow
def test_a_part_of_a_file_is_read_as_a_file(tmp_path: Path) -> None:
    video = write_numbered(tmp_path / "a.mp4", 30, *ENCODINGS["closed.mp4"])
    content = video.read_bytes()
    packed = tmp_path / "packed.tar"
    packed.write_bytes(b"x" * 1000 + content + b"y" * 5000)
    reader = SeekingReader(packed, "member", ByteRange(1000, len(content)))
    assert numbers(reader.frames(20, 1, 4)) == [20, 21, 22, 23]
    with pytest.raises(UnreadableVideo, match=r"member: .*can't open it"):
        SeekingReader(packed, "member", ByteRange(500, 300))


@pytest.mark.slow
def test_a_video_that_announces_more_frames_than_it_has_gives_its_last_ones(tmp_path: Path) -> None:
    video = write_numbered(tmp_path / "a.mp4", 30, *ENCODINGS["closed.mp4"])
    reader = SeekingReader(video, "a")
    assert numbers(reader.frames(40, 2, 3)) == [25, 27, 29]
    with pytest.raises(UnreadableVideo, match="ends after 30 of the 30 frames"):
        reader.frames(0, 1, 31)


@pytest.mark.slow
def test_damaged_frames_are_refused(tmp_path: Path) -> None:
    video = write_numbered(tmp_path / "a.mp4", NUM_FRAMES, *ENCODINGS["one-key.mp4"])
    content = bytearray(video.read_bytes())
    middle = len(content) // 3
    content[middle : middle + 400] = bytes(400)
    video.write_bytes(content)
    with pytest.raises(UnreadableVideo, match=r"damaged|can't be decoded"):
        list(SeekingReader(video, "a").frames(80, 1, 4))


@pytest.mark.thorough
@pytest.mark.slow
def test_frames_of_real_clips_are_those_of_the_exact_reader(shared: Path) -> None:
    for path in sorted((shared / "clips" / "sample").iterdir()):
        reader, exact = SeekingReader(path, path.name), open_reader(VideoSource("a", path), "pyav")
        start = min(reader.num_frames, exact.num_frames) // 3
        ids = [start, start + 3, start + 6]
        assert np.array_equal(np.stack(list(reader.frames(start, 3, 3))), exact.frames(ids)), path.name
        exact.close()


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    kinds: dict[str, Any] = {"empty.mp4": b"", "text.mp4": b"not a video" * 100}
    for name, content in kinds.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UnreadableVideo, match=name):
            SeekingReader(tmp_path / name, name)
