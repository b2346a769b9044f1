"""File names with bytes that aren't UTF-8, control characters, emoji; folders that can't be read; pipes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from toklab.datasets.catalog import parse_dataset
from toklab.datasets.files import FilesDataset
from toklab.datasets.folder import FolderDataset, ImagesDataset
from toklab.datasets.identity import content_id
from toklab.datasets.interface import DatasetUnavailable, UnreadableVideo, VideoSource
from toklab.datasets.names import UNPRINTABLE, escape_name, root_identity, unescape_name
from toklab.datasets.readers.choice import open_reader

HOSTILE = {
    b"caf\xe9.png": r"caf\udce9.png",
    b"new\nline.png": r"new\x0aline.png",
    b"\x1b[31mred.png": r"\x1b[31mred.png",
    "gpj\u202egpj.png".encode(): r"gpj\u202egpj.png",
    b"a\\x1b.png": r"a\x5cx1b.png",
}
ORDINARY = [
    "clip.mp4",
    "a b/c.mp4",
    "été.mp4",
    "👨\u200d👩\u200d👧.mp4",
    "back\\slash.mp4",
    "a\\xe9.mp4",
    "[b]=1.mp4",
    "日本.mp4",
]

names = st.one_of(
    st.binary(min_size=1, max_size=12),
    st.text("ax1b\\u0205ce\x1b\n\u202eé", min_size=1, max_size=12).map(lambda text: text.encode()),
).map(os.fsdecode)


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_names_stay_as_they_are(name: str) -> None:
    assert escape_name(name) == name == unescape_name(name)


@given(names)
def test_every_name_is_printable_utf8_and_comes_back(name: str) -> None:
    text = escape_name(name)
    assert not UNPRINTABLE.search(text)
    assert text.encode()
    assert unescape_name(text) == name


@given(names, names)
def test_two_names_never_become_one(one: str, other: str) -> None:
    assert (escape_name(one) == escape_name(other)) == (one == other)


@pytest.mark.parametrize("dataset", [FolderDataset, ImagesDataset])
def test_hostile_files_are_sources_like_others(tmp_path: Path, dataset: type[FolderDataset | ImagesDataset]) -> None:
    for name in HOSTILE:
        Image.new("RGB", (8, 8)).save(os.path.join(os.fsencode(tmp_path), name), format="png")
    found = {os.fsencode(source.path.name): source for source in dataset(tmp_path).sources()}
    assert {name: source.key for name, source in found.items()} == HOSTILE
    for source in found.values():
        assert len(content_id(source)) == 64
        with open_reader(source) as reader:
            assert reader.num_frames == 1
    paths = [source.path for source in found.values()]
    assert {source.key for source in FilesDataset(paths).sources()} == set(HOSTILE.values())


def test_a_sequence_of_hostile_images_has_an_identity(tmp_path: Path) -> None:
    for name in HOSTILE:
        Image.new("RGB", (8, 8)).save(os.path.join(os.fsencode(tmp_path), name), format="png")
    assert len(content_id(VideoSource("s", tmp_path, kind="images", fps=24.0))) == 64


def test_a_hostile_root_has_a_printable_identity_that_leads_back(tmp_path: Path) -> None:
    root = tmp_path / os.fsdecode(b"caf\xe9\n")
    root.mkdir()
    identity = root_identity("folder", root)
    assert identity.endswith(r"caf\udce9\x0a")
    assert parse_dataset(identity).root == root


def test_a_plugins_hostile_key_is_printable() -> None:
    assert VideoSource("a\x1b\udce9", Path("a")).key == r"a\x1b\udce9"


@pytest.fixture
def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that can't be listed, whoever asks."""
    folder = tmp_path / "locked"
    folder.mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "seen.png")
    listed, scanned = Path.iterdir, os.scandir

    def refuse(path: object) -> None:
        if Path(str(path)) == folder:
            raise PermissionError(13, "Permission denied", str(folder))

    def iterdir(path: Path) -> Iterator[Path]:
        refuse(path)
        return listed(path)

    def scandir(path: str) -> object:
        refuse(path)
        return scanned(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    monkeypatch.setattr(os, "scandir", scandir)
    return folder


@pytest.mark.parametrize("dataset", [FolderDataset, ImagesDataset])
def test_a_folder_that_cannot_be_read_is_reported(locked: Path, dataset: type[FolderDataset | ImagesDataset]) -> None:
    found = {source.key: source for source in dataset(locked.parent).sources()}
    assert set(found) == {"locked", "seen.png"}
    with pytest.raises(UnreadableVideo, match=r"locked: (the folder can't be read \(Permission|is not a regular)"):
        content_id(found["locked"])
    with pytest.raises(DatasetUnavailable, match=r"locked can't be read \(Permission denied\)"):
        dataset(locked).sources()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are POSIX's")
@pytest.mark.parametrize("name", ["pipe.mp4", "pipe.png", "pipe_64x64_30.yuv"])
def test_a_pipe_is_refused_without_waiting_for_its_writer(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    (source,) = FolderDataset(tmp_path).sources()
    with pytest.raises(UnreadableVideo, match="is not a regular file"):
        content_id(source)
    with pytest.raises(UnreadableVideo, match=r"(regular file|no such file)"):
        open_reader(source)
