"""What the folder dataset lists, and how."""

from __future__ import annotations

from pathlib import Path

import pytest
from toklab.datasets.catalog import parse_dataset
from toklab.datasets.folder import IMAGE_FPS, FolderDataset, ImagesDataset
from toklab.datasets.interface import DatasetUnavailable


def _touch(root: Path, *names: str) -> None:
    for name in names:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def test_every_kind_of_source(tmp_path: Path) -> None:
    _touch(tmp_path, "b.mp4", "a.MKV", "deep/er/c.webm", "photo.PNG", "notes.txt", ".hidden.mp4", ".hidden/d.mp4")
    _touch(tmp_path, "sequence/00000.jpg", "sequence/00001.jpg", "sequence/readme.txt")
    _touch(tmp_path, "mixed/frame.jpg", "mixed/clip.avi", "raw/x_64x48_25.yuv", "raw/unnamed.yuv")
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "gone.mov").symlink_to(tmp_path / "nowhere.mov")
    sources = FolderDataset(tmp_path).sources()
    kinds = {source.key: source.kind for source in sources}
    assert kinds == {
        "a.MKV": "video",
        "b.mp4": "video",
        "deep/er/c.webm": "video",
        "folder.mp4": "video",
        "gone.mov": "video",
        "mixed/clip.avi": "video",
        "mixed/frame.jpg": "image",
        "photo.PNG": "image",
        "raw/unnamed.yuv": "yuv",
        "raw/x_64x48_25.yuv": "yuv",
        "sequence": "images",
    }
    assert [source.key for source in sources] == sorted(kinds)
    by_key = {source.key: source for source in sources}
    assert by_key["sequence"].fps == by_key["photo.PNG"].fps == IMAGE_FPS
    raw, unnamed = by_key["raw/x_64x48_25.yuv"], by_key["raw/unnamed.yuv"]
    assert (raw.width, raw.height, raw.fps, raw.colour_matrix) == (64, 48, 25.0, "bt709")
    assert (unnamed.width, unnamed.height, unnamed.fps) == (None, None, None)


def test_images_in_the_folder_itself_are_single_frames(tmp_path: Path) -> None:
    _touch(tmp_path, "1.png", "2.png")
    assert [source.kind for source in FolderDataset(tmp_path).sources()] == ["image", "image"]


def test_a_folder_of_image_folders_holds_sequences(tmp_path: Path) -> None:
    _touch(tmp_path, "480p/bear/0.jpg", "480p/dog/0.jpg")
    assert [source.key for source in FolderDataset(tmp_path).sources()] == ["480p/bear", "480p/dog"]


def test_linked_folders_are_entered_once_and_circles_end(tmp_path: Path) -> None:
    _touch(tmp_path, "root/a.mp4", "elsewhere/b.mp4")
    (tmp_path / "root/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "root/circle").symlink_to(tmp_path / "root")
    assert [source.key for source in FolderDataset(tmp_path / "root").sources()] == ["a.mp4", "link/b.mp4"]


def test_a_single_file_stands_for_the_folder(tmp_path: Path) -> None:
    _touch(tmp_path, "a.mp4")
    assert [source.key for source in FolderDataset(tmp_path / "a.mp4").sources()] == ["a.mp4"]


def test_every_picture_is_a_source_of_its_own(tmp_path: Path) -> None:
    _touch(tmp_path, "b.png", "a/1.jpg", "a/2.JPEG", "clip.mp4", ".hidden/c.png", ".d.png")
    sources = ImagesDataset(tmp_path).sources()
    assert [(source.key, source.kind) for source in sources] == [
        ("a/1.jpg", "image"),
        ("a/2.JPEG", "image"),
        ("b.png", "image"),
    ]
    assert all(source.path.is_file() for source in sources)
    with pytest.raises(DatasetUnavailable, match="holds no picture"):
        ImagesDataset(tmp_path / "clip.mp4").sources()


def test_the_folder_may_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _touch(tmp_path, "folder/a.mp4")
    monkeypatch.setenv("TOKLAB_DATA", str(tmp_path))
    assert [source.key for source in FolderDataset().sources()] == ["a.mp4"]


def test_what_is_not_there_is_told_with_its_cure(tmp_path: Path) -> None:
    with pytest.raises(DatasetUnavailable, match="TOKLAB_DATA"):
        FolderDataset().sources()
    with pytest.raises(DatasetUnavailable, match="no such folder"):
        FolderDataset(tmp_path / "absent").sources()
    with pytest.raises(DatasetUnavailable, match=r"no video and no image.*\.mp4"):
        FolderDataset(tmp_path).sources()


def test_names_as_a_command_line_gives_them() -> None:
    assert parse_dataset("sample") == ("sample", None, "")
    assert parse_dataset("folder:some/clips") == ("folder", Path("some/clips"), "")
    assert parse_dataset("own=folder:a=b:c") == ("folder", Path("a=b:c"), "own")
    for wrong in ("", ":x", "folder:", "=folder:x", "a b=folder:x", "x/y=folder:z", "own="):
        with pytest.raises(ValueError, match="NAME:FOLDER"):
            parse_dataset(wrong)
