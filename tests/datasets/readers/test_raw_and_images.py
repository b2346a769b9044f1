"""Raw video and images."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from numbered_video import run_ffmpeg, write_numbered
from PIL import Image
from toklab.datasets.interface import UnreadableVideo, VideoSource
from toklab.datasets.readers.choice import open_reader

HEIGHT, WIDTH = 48, 64


def _raw(path: Path, planes: np.ndarray, **fields: object) -> VideoSource:
    path.write_bytes(planes.tobytes())
    given = {"fps": 25.0, "width": WIDTH, "height": HEIGHT} | fields
    return VideoSource(path.name, path, "yuv", **given)  # pyright: ignore[reportArgumentType]


@pytest.fixture
def planes() -> np.ndarray:
    """Seven random I420 frames of limited range."""
    return np.random.default_rng(3).integers(16, 236, (7, HEIGHT * 3 // 2, WIDTH), dtype=np.uint8)


def _convert(planes: np.ndarray, red: float, blue: float) -> np.ndarray:
    """ITU-R BT.601 and BT.709, limited range, with chroma repeated; ``red`` and ``blue`` are the luma coefficients."""
    count, chroma = len(planes), HEIGHT // 4
    luma = (planes[:, :HEIGHT].astype(float) - 16) / 219
    halves = planes[:, HEIGHT:].reshape(count, 2, chroma * 2, WIDTH // 2).repeat(2, 2).repeat(2, 3)
    blue_difference, red_difference = (halves.astype(float).transpose(1, 0, 2, 3) - 128) / 224
    r = luma + 2 * (1 - red) * red_difference
    b = luma + 2 * (1 - blue) * blue_difference
    g = (luma - red * r - blue * b) / (1 - red - blue)
    return (np.stack([r, g, b], axis=-1) * 255).clip(0, 255)


@pytest.mark.parametrize(
    ("matrix", "red", "blue"), [(None, 0.2126, 0.0722), ("bt709", 0.2126, 0.0722), ("bt601", 0.299, 0.114)]
)
def test_raw_video_follows_the_formula(
    tmp_path: Path, planes: np.ndarray, matrix: str | None, red: float, blue: float
) -> None:
    reader = open_reader(_raw(tmp_path / "v.yuv", planes, colour_matrix=matrix))
    assert (reader.num_frames, reader.fps, reader.name) == (7, 25.0, "yuv")
    order = [6, 0, 3, 3]
    assert np.abs(reader.frames(order) - _convert(planes, red, blue)[order]).max() < 4


def test_raw_video_equals_the_same_planes_in_a_lossless_file(tmp_path: Path, planes: np.ndarray) -> None:
    with av.open(str(tmp_path / "v.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"qp": "0"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.colorspace = 1
        for frame in planes:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="yuv420p")))
        container.mux(stream.encode())
    raw = open_reader(_raw(tmp_path / "v.yuv", planes)).frames(range(7))
    for choice in ("decord", "pyav"):
        coded = open_reader(VideoSource("v.mp4", tmp_path / "v.mp4"), choice).frames(range(7))
        assert np.array_equal(raw, coded)


def test_raw_video_must_hold_whole_frames_of_a_known_even_size(tmp_path: Path, planes: np.ndarray) -> None:
    path = tmp_path / "v.yuv"
    for fields, reason in (({"width": None}, "needs a width"), ({"fps": None}, "frame rate"), ({"width": 63}, "even")):
        with pytest.raises(UnreadableVideo, match=reason):
            open_reader(_raw(path, planes, **fields))
    for content in (planes.tobytes()[:-1], b""):
        source = _raw(path, planes)
        path.write_bytes(content)
        with pytest.raises(UnreadableVideo, match=r"v\.yuv: \d+ bytes are not a whole number"):
            open_reader(source)


@pytest.fixture
def sequence(tmp_path: Path) -> Path:
    """Twelve images named 0.png to 11.png, each of one grey level, its number; and files that are none of them."""
    folder = tmp_path / "sequence"
    folder.mkdir()
    for number in range(12):
        Image.new("L", (20, 10), number).save(folder / f"{number}.png")
    (folder / ".hidden.png").write_text("no image")
    (folder / "notes.txt").write_text("no image")
    return folder


def test_an_image_sequence_is_in_natural_order(sequence: Path) -> None:
    reader = open_reader(VideoSource("s", sequence, "images", fps=24.0))
    assert (reader.num_frames, reader.fps, reader.facts.width, reader.facts.height) == (12, 24.0, 20, 10)
    assert [int(frame[0, 0, 0]) for frame in reader.frames([11, 2, 10, 2])] == [11, 2, 10, 2]


def test_images_of_another_size_or_depth_are_named(sequence: Path) -> None:
    Image.new("L", (10, 20), 0).save(sequence / "5.png")
    Image.new("I;16", (20, 10), 0).save(sequence / "6.png")
    (sequence / "7.png").write_text("no image")
    (sequence / "8.png").unlink()
    run_ffmpeg("-i", sequence / "1.png", "-pix_fmt", "rgb48be", "-update", "1", sequence / "8.png")
    reader = open_reader(VideoSource("s", sequence, "images"))
    for number, reason in ((5, "one size"), (6, "8 bits"), (7, "can't be read"), (8, "8 bits")):
        with pytest.raises(UnreadableVideo, match=rf"{number}\.png.*{reason}"):
            reader.frames([number])


def test_an_empty_or_absent_sequence_is_named(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(UnreadableVideo, match=str(path)):
            open_reader(VideoSource("s", path, "images"))


def test_a_single_image_is_a_video_of_one_frame_turned_as_its_exif_says(tmp_path: Path) -> None:
    pixels = np.zeros((10, 20, 3), np.uint8)
    pixels[:, :10] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "photo.png", exif=exif)
    reader = open_reader(VideoSource("photo.png", tmp_path / "photo.png", "image"))
    assert (reader.num_frames, reader.facts.width, reader.facts.height) == (1, 10, 20)
    assert np.array_equal(reader.frames([0])[0], np.rot90(pixels, -1))


def test_raw_video_and_images_have_their_reader_whatever_is_asked_for(sequence: Path) -> None:
    assert open_reader(VideoSource("s", sequence, "images"), "decord").name == "images"


def test_gif_is_read(tmp_path: Path) -> None:
    reader = open_reader(VideoSource("a.gif", write_numbered(tmp_path / "a.gif", 5, "-f", "gif")))
    assert (reader.name, reader.num_frames) == ("pyav", 5)
