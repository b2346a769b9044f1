"""Shards: tar files that hold many videos, as WebDataset writes them; which videos there are, and where they lie."""

from __future__ import annotations

import hashlib
import json
import tarfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from .atomic_files import write_text
from .folder import VIDEO_SUFFIXES
from .interface import DatasetUnavailable

SHARD_SUFFIX = ".tar"


@dataclass(frozen=True)
class ShardMember:
    """A video in a shard."""

    name: str
    offset: int
    """Of its first byte in the shard."""
    num_bytes: int


def shards_in(folder: Path) -> list[Path]:
    """The shards directly in a folder, by name; hidden ones are passed over."""
    return sorted(path for path in folder.glob(f"*{SHARD_SUFFIX}") if not path.name.startswith("."))


def shard_members(shard: Path, cache: Path) -> list[ShardMember]:
    """The videos of a shard, in its order; other members (captions, JSON) and hidden ones are passed over.

    The headers are read once, which takes a moment for large shards; then their list in ``cache`` is enough, as long as
    the shard's size and time of change stay the same. Where the list is damaged or can't be kept, they are read again.

    Raises:
        DatasetUnavailable: if the shard isn't there, is compressed or damaged, or is no tar file.
    """
    try:
        status = shard.stat()
    except OSError as error:
        raise DatasetUnavailable(f"{shard} can't be read ({error.strerror})", "Give shards that are there") from None
    identity = f"{shard.resolve()}:{status.st_size}:{status.st_mtime_ns}"
    index = cache / "shards" / f"{hashlib.sha256(identity.encode()).hexdigest()[:32]}.json"
    with suppress(OSError, ValueError, TypeError):
        return [ShardMember(*entry) for entry in json.loads(index.read_text(encoding="utf-8"))]
    members = _read_headers(shard)
    entries = [(member.name, member.offset, member.num_bytes) for member in members]
    with suppress(OSError):
        index.parent.mkdir(parents=True, exist_ok=True)
        write_text(index, json.dumps(entries))
    return members


def _read_headers(shard: Path) -> list[ShardMember]:
    members = []
    try:
        # "r:" takes plain tar files alone: in a compressed one no video can be found without reading all before it.
        with tarfile.open(shard, "r:") as archive:
            for entry in archive:
                path = PurePosixPath(entry.name)
                if entry.isreg() and path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith("."):
                    members.append(ShardMember(entry.name, entry.offset_data, entry.size))
            end = archive.offset
    except (tarfile.TarError, OSError) as error:
        raise DatasetUnavailable(
            f"{shard} is compressed, cut off or no tar file ({error})", "Give plain tar files, or remove it"
        ) from None
    with shard.open("rb") as file:
        file.seek(end)
        last = file.read(tarfile.BLOCKSIZE)
        # A damaged header, or none at all, ends a tar file for Python's reader just as its last, empty block does.
        if any(last) or len(last) < tarfile.BLOCKSIZE:
            raise DatasetUnavailable(f"{shard} is damaged from byte {end} on", "Bring it anew, or remove it")
    return members
