"""Which reader opens which file, and that the frames are the right ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numbered_video import numbered_frames, numbers_by_ffmpeg, read_numbers, run_ffmpeg, write_numbered
from toklab.datasets.interface import UnreadableVideo, VideoSource
from toklab.datasets.readers import choice
from toklab.datasets.readers.choice import ReaderChoice, open_reader
from toklab.datasets.video_writer import write_video

OPEN_GOP = "keyint=30:min-keyint=30:open-gop=1:bframes=3:b-adapt=0:scenecut=0"


def _x264(*options: str) -> tuple[str, ...]:
    return ("-c:v", "libx264", "-pix_fmt", "yuv420p", *options)


ENCODED = {
    "plain.mp4": (*_x264("-g", "30"), "-movflags", "+faststart"),
    "plain.mkv": _x264(),
    "fragmented.mp4": _x264("-movflags", "+frag_keyframe+empty_moov"),
    "open-gop.mp4": _x264("-x264-params", OPEN_GOP),
    "open-gop-hevc.mp4": ("-c:v", "libx265", "-pix_fmt", "yuv420p", "-x265-params", OPEN_GOP + ":log-level=none"),
    "lossless.mp4": ("-c:v", "libx264rgb", "-qp", "0"),
    "vp9.webm": ("-c:v", "libvpx-vp9", "-auto-alt-ref", "1", "-lag-in-frames", "25", "-cpu-used", "8", "-b:v", "200k"),
    "vp8.webm": ("-c:v", "libvpx", "-auto-alt-ref", "1", "-lag-in-frames", "16", "-b:v", "200k"),
    "variable-rate.mp4": ("-vf", r"select='not(mod(n\,3))+not(mod(n\,5))'", "-fps_mode", "vfr", *_x264()),
    "h264.ts": _x264(),
    "mpeg2.ts": ("-c:v", "mpeg2video", "-b:v", "1M"),
    "mpeg4.avi": ("-c:v", "mpeg4", "-bf", "2", "-q:v", "2"),
    "av1.mp4": ("-c:v", "libsvtav1", "-pix_fmt", "yuv420p", "-svtav1-params", "preset=12"),
    "ten-bit.mp4": ("-c:v", "libx265", "-pix_fmt", "yuv420p10le", "-x265-params", "log-level=none"),
    "interlaced.mp4": _x264("-flags", "+ilme+ildct", "-x264-params", "tff=1"),
}
DECORD_FILES = [
    "plain.mp4",
    "plain.mkv",
    "fragmented.mp4",
    "open-gop.mp4",
    "open-gop-hevc.mp4",
    "lossless.mp4",
    "vp9.webm",
]
DECORD_FILES += ["variable-rate.mp4"]
CUTS = {"cut-with-edit-list.mp4": "plain.mp4", "cut.mkv": "plain.mp4", "cut-open-gop.mkv": "open-gop.mp4"}


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Numbered videos of 100 frames in many forms, and what stream copies make of them."""
    folder = tmp_path_factory.mktemp("videos")
    for name, options in ENCODED.items():
        write_numbered(folder / name, 100, *options)
    for name, origin in CUTS.items():
        run_ffmpeg("-ss", "1.5", "-i", folder / origin, "-t", "1", "-c", "copy", folder / name)
    for angle in (90, 180, 270):
        run_ffmpeg("-display_rotation", str(angle), "-i", folder / "plain.mp4", "-c", "copy", folder / f"{angle}.mp4")
    for name in ("plain.mp4", "plain.mkv", "fragmented.mp4"):
        content = (folder / name).read_bytes()
        (folder / f"truncated-{name}").write_bytes(content[: len(content) * 6 // 10])
    damaged = bytearray((folder / "plain.mp4").read_bytes())
    middle = len(damaged) // 2
    damaged[middle : middle + 2000] = bytes(2000)
    (folder / "damaged.mp4").write_bytes(damaged)
    return folder


def _source(path: Path) -> VideoSource:
    return VideoSource(path.name, path)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*ENCODED, *CUTS])
def test_every_frame_is_the_one_that_ffmpeg_shows(videos: Path, name: str) -> None:
    expected = numbers_by_ffmpeg(videos / name)
    for choice_name in ("auto", "pyav"):
        with open_reader(_source(videos / name), choice_name) as reader:
            assert reader.num_frames == len(expected)
            assert read_numbers(np.stack(list(reader))) == expected


@pytest.mark.slow
@pytest.mark.parametrize("name", [*ENCODED, *CUTS, "truncated-plain.mp4", "truncated-plain.mkv"])
def test_decord_reads_only_what_it_reads_rightly(videos: Path, name: str) -> None:
    source = _source(videos / name)
    right = name in (*DECORD_FILES, "cut.mkv")
    assert open_reader(source).name == ("decord" if right else "pyav")
    if not right:
        with pytest.raises(UnreadableVideo, match=f"{name}: .*; use the reader auto or pyav"):
            open_reader(source, "decord")


@pytest.mark.parametrize("name", DECORD_FILES)
def test_both_readers_give_the_same_pixels_and_frame_rate(videos: Path, name: str) -> None:
    decord, pyav = open_reader(_source(videos / name), "decord"), open_reader(_source(videos / name), "pyav")
    frame_ids = list(range(0, decord.num_frames, 2))
    assert np.array_equal(decord.frames(frame_ids), pyav.frames(frame_ids))
    assert decord.fps == pyav.fps


def test_a_lossless_file_comes_back_bit_for_bit(videos: Path) -> None:
    for choice_name in ("decord", "pyav"):
        reader = open_reader(_source(videos / "lossless.mp4"), choice_name)
        assert np.array_equal(reader.frames(range(100)), numbered_frames(100))


@pytest.mark.parametrize(("width", "height"), [(48, 32), (16, 64)])
def test_narrow_frames_are_left_to_pyav(tmp_path: Path, width: int, height: int) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (5, height, width, 3), dtype=np.uint8)
    write_video(tmp_path / "narrow.mp4", frames, 8.0)
    with open_reader(_source(tmp_path / "narrow.mp4")) as reader:
        assert reader.name == "pyav"
        assert np.array_equal(reader.frames(range(5)), frames)


@pytest.mark.parametrize("choice_name", ["decord", "pyav"])
@pytest.mark.parametrize("name", ["open-gop.mp4", "open-gop-hevc.mp4"])
@settings(max_examples=6)
@given(calls=st.lists(st.lists(st.integers(0, 99), min_size=1, max_size=8), min_size=1, max_size=3))
def test_frames_come_in_any_order_and_repeated(
    videos: Path, name: str, choice_name: ReaderChoice, calls: list[list[int]]
) -> None:
    with open_reader(_source(videos / name), choice_name) as reader:
        for frame_ids in calls:
            assert read_numbers(reader.frames(frame_ids)) == frame_ids


@pytest.mark.parametrize("choice_name", ["decord", "pyav"])
@pytest.mark.parametrize("angle", [90, 180, 270])
def test_display_rotation_is_applied(videos: Path, angle: int, choice_name: ReaderChoice) -> None:
    plain = open_reader(_source(videos / "plain.mp4")).frames([7, 50])
    reader = open_reader(_source(videos / f"{angle}.mp4"), choice_name)
    turned = reader.frames([7, 50])
    assert np.array_equal(turned, np.rot90(plain, angle // 90, axes=(1, 2)))
    assert turned.shape[1:3] == (reader.facts.height, reader.facts.width)


@pytest.mark.parametrize("name", ["truncated-plain.mp4", "truncated-plain.mkv", "truncated-fragmented.mp4"])
def test_a_file_that_was_cut_off_gives_its_frames_and_then_says_so(videos: Path, name: str) -> None:
    reader = open_reader(_source(videos / name))
    assert read_numbers(reader.frames(range(20))) == list(range(20))
    with pytest.raises(UnreadableVideo, match=f"{name}: .* of {reader.num_frames} |{name}: .*announces"):
        reader.frames([reader.num_frames - 1])
    assert read_numbers(reader.frames([5])) == [5]


def test_announced_frames_are_counted_in_a_file_that_was_cut_off(videos: Path) -> None:
    assert open_reader(_source(videos / "truncated-plain.mp4")).num_frames == 100


def test_a_damaged_frame_ends_the_video_for_pyav(videos: Path) -> None:
    reader = open_reader(_source(videos / "damaged.mp4"), "pyav")
    assert reader.num_frames == 100
    with pytest.raises(UnreadableVideo, match=r"can't be decoded") as first:
        reader.frames([99])
    with pytest.raises(UnreadableVideo) as second:
        reader.frames([98])
    assert str(first.value) == str(second.value)


def test_videos_that_would_fill_the_memory_go_to_pyav(videos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "MAX_DECODED_BYTES", 100 * 64 * 128 * 3 - 1)
    assert open_reader(_source(videos / "plain.mp4")).name == "pyav"


def test_without_decord_pyav_reads_everything(videos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert open_reader(_source(videos / "plain.mp4")).name == "pyav"


def test_a_video_of_one_frame(tmp_path: Path) -> None:
    reader = open_reader(_source(write_numbered(tmp_path / "one.mp4", 1)))
    assert reader.num_frames == 1
    assert read_numbers(reader.frames([0, 0, 0])) == [0, 0, 0]


def test_files_that_are_no_videos_are_named_with_the_reason(tmp_path: Path, videos: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "text.mp4").write_text("no video")
    whole = write_numbered(tmp_path / "whole.mp4", 30).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    run_ffmpeg("-f", "lavfi", "-i", "sine=duration=1", tmp_path / "sound.mp4")
    for name, reason in {
        "empty.mp4": "empty",
        "folder.mp4": "not a regular file",
        "text.mp4": "no video",
        "cut.mp4": "cut off",
        "absent.mp4": "no such file",
        "sound.mp4": "no video stream",
    }.items():
        with pytest.raises(UnreadableVideo, match=f"{name}: .*{reason}"):
            open_reader(_source(tmp_path / name))


def test_frames_that_do_not_exist_are_refused(videos: Path) -> None:
    reader = open_reader(_source(videos / "plain.mp4"))
    for frame_ids in ([100], [-1], []):
        with pytest.raises(IndexError):
            reader.frames(frame_ids)


def test_a_conversion_matrix_may_be_named_for_an_untagged_file(videos: Path) -> None:
    path = videos / "plain.mp4"
    as_is, bt601, bt709 = (
        open_reader(VideoSource("v", path, colour_matrix=matrix)).frames([3]) for matrix in (None, "bt601", "bt709")
    )
    assert np.array_equal(as_is, bt601)
    assert not np.array_equal(as_is, bt709)


@pytest.mark.slow
@pytest.mark.clips
@pytest.mark.parametrize("folder", ["sample", "compat"])
def test_both_readers_agree_on_real_clips(shared: Path, folder: str) -> None:
    for path in sorted((shared / "clips" / folder).iterdir()):
        auto, pyav = open_reader(_source(path)), open_reader(_source(path), "pyav")
        frame_ids = list(range(0, min(34, auto.num_frames), 2))
        assert (auto.num_frames, auto.fps) == (pyav.num_frames, pyav.fps), path.name
        assert np.array_equal(auto.frames(frame_ids), pyav.frames(frame_ids)), path.name
