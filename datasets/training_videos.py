"""The videos that a training streams: a folder, a list, shards; found without opening any of them."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from .folder import FolderDataset
from .interface import DatasetUnavailable, VideoSource
from .shards import SHARD_SUFFIX, ShardMember, shard_members, shards_in

LIST_SUFFIX = ".txt"
TABLE_SUFFIX = ".csv"
PATH_COLUMNS = ("path", "videos", "video", "file")
"""Columns of a table that may name the videos; the first of these that is there does."""


@dataclass(frozen=True)
class TrainingVideo:
    """A file with a video, or the part of a shard that holds one."""

    source: VideoSource
    offset: int = 0
    """Of the video's first byte in the file."""
    num_bytes: int = 0
    """Of the video; 0: the whole file."""

    @property
    def path(self) -> Path:
        """Of the file that holds it."""
        return self.source.path

    @property
    def title(self) -> str:
        """What messages call it."""
        return f"{self.path}: {self.source.key}" if self.num_bytes else str(self.path)


class TrainingVideos(Sequence[TrainingVideo]):
    """Very many videos, each made when it is asked for."""

    def __init__(self, num_videos: int, make: Callable[[int], TrainingVideo]):
        """Args: how many there are, and what gives each of them by its number."""
        self._num_videos = num_videos
        self._make = make

    def __len__(self) -> int:
        return self._num_videos

    @overload
    def __getitem__(self, index: int) -> TrainingVideo: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[TrainingVideo]: ...

    def __getitem__(self, index: int | slice) -> TrainingVideo | Sequence[TrainingVideo]:
        if isinstance(index, slice):
            return [self._make(number) for number in range(*index.indices(self._num_videos))]
        if not -self._num_videos <= index < self._num_videos:
            raise IndexError(f"there are {self._num_videos} videos, so none has the number {index}")
        return self._make(index % self._num_videos)

    def __iter__(self) -> Iterator[TrainingVideo]:
        return map(self._make, range(self._num_videos))


def training_sources(place: Path) -> list[VideoSource]:
    """The videos of a folder, or of a text file (``.txt``) that names one a line, relative to the file.

    Raises:
        DatasetUnavailable: if there is nothing at ``place``, it can't be read, or a video that it names isn't there.
    """
    if place.suffix != LIST_SUFFIX:
        return FolderDataset(place).sources()
    if not place.is_file():
        raise DatasetUnavailable(f"there is no file {place}", "Give a folder of videos, or a text file that lists them")
    try:
        lines = place.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetUnavailable(f"{place} can't be read as a list ({error})", "Give one in UTF-8") from None
    sources = []
    for line in lines:
        if name := line.strip():
            sources += FolderDataset(place.parent / name).sources()
    return sources


def must_stream(place: Path) -> bool:
    """Whether what is at ``place`` is read as a stream, whatever the recipe says: a table or shards."""
    return place.suffix in (TABLE_SUFFIX, SHARD_SUFFIX) or (place.is_dir() and bool(shards_in(place)))


def training_videos(place: Path, cache: Path) -> TrainingVideos:
    """The videos at ``place``, in an order that stays the same as long as nothing there changes.

    Args:
        place: a folder of videos, of shards (``.tar``) or of both; a shard; a text file with a video a line (``.txt``);
            or a table (``.csv``) with a column ``path`` or ``videos``. Paths in lists are relative to the list.
        cache: folder that keeps what shards hold.

    Raises:
        DatasetUnavailable: if there is nothing at ``place``, or no video in it, or a table without such a column.
    """
    if place.suffix == TABLE_SUFFIX:
        return _of_table(place)
    if place.suffix == LIST_SUFFIX:
        return _of_sources(training_sources(place))
    shards = [place] if place.suffix == SHARD_SUFFIX else shards_in(place) if place.is_dir() else []
    if not shards:
        return _of_sources(training_sources(place))
    members = [(shard, member) for shard in shards for member in shard_members(shard, cache)]
    loose = _loose_videos(place) if place.is_dir() else []
    if not members and not loose:
        raise DatasetUnavailable(f"{place}: no shard holds a video", "Give shards with members such as 0001.mp4")

    def make(number: int) -> TrainingVideo:
        if number < len(members):
            return _of_member(*members[number])
        return TrainingVideo(loose[number - len(members)])

    return TrainingVideos(len(members) + len(loose), make)


def _of_sources(sources: Sequence[VideoSource]) -> TrainingVideos:
    return TrainingVideos(len(sources), lambda number: TrainingVideo(sources[number]))


def _of_member(shard: Path, member: ShardMember) -> TrainingVideo:
    return TrainingVideo(VideoSource(f"{shard.name}/{member.name}", shard), member.offset, member.num_bytes)


def _loose_videos(folder: Path) -> list[VideoSource]:
    """Videos that lie in a folder beside its shards."""
    try:
        return FolderDataset(folder).sources()
    except DatasetUnavailable:
        # That there is nothing but shards is no mistake.
        return []


def _of_table(table: Path) -> TrainingVideos:
    hint = f"Give a table with a column {' or '.join(PATH_COLUMNS[:2])}, one video a row"
    try:
        with table.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines)
            column = next((name for name in PATH_COLUMNS if name in (reader.fieldnames or ())), None)
            if column is None:
                raise DatasetUnavailable(f"{table} has no column {PATH_COLUMNS[0]}", hint)
            names = [name for row in reader if (name := (row[column] or "").strip())]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetUnavailable(f"{table} can't be read as a table ({error})", hint) from None
    if not names:
        raise DatasetUnavailable(f"{table} names no video", hint)
    folder = table.parent
    # Whether each is there shows when it is opened: asking a network disk for each of them takes minutes.
    return TrainingVideos(len(names), lambda number: TrainingVideo(VideoSource(names[number], folder / names[number])))


def stream_identity(videos: Sequence[TrainingVideo]) -> str:
    """What a streamed list is known by: ``listed:`` and SHA-256 of the lines ``KEY  OFFSET  BYTES`` of its videos.

    No file is opened: reading hundreds of thousands of them would take hours.
    """
    digest = hashlib.sha256()
    for video in videos:
        digest.update(f"{video.source.key}  {video.offset}  {video.num_bytes}\n".encode())
    return f"listed:{digest.hexdigest()}"
