from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest
from tar_shards import write_shard
from toklab.datasets.interface import DatasetUnavailable
from toklab.datasets.shards import shard_members, shards_in


def test_members_are_where_the_index_says(tmp_path: Path) -> None:
    long_name = "folder/" + "n" * 200 + ".webm"
    members = {"a.mp4": b"1" * 700, "a.json": b"{}", "b.MKV": b"22", ".hidden.mp4": b"3", long_name: b"44444"}
    shard = write_shard(tmp_path / "0.tar", members)
    found = shard_members(shard, tmp_path / "cache")
    assert [member.name for member in found] == ["a.mp4", "b.MKV", long_name]
    content = shard.read_bytes()
    for member in found:
        assert content[member.offset : member.offset + member.num_bytes] == members[member.name]


def test_headers_are_read_once_until_the_shard_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shard = write_shard(tmp_path / "0.tar", {"a.mp4": b"1"})
    first = shard_members(shard, tmp_path / "cache")
    with monkeypatch.context() as patch:
        patch.setattr(tarfile, "open", None)
        assert shard_members(shard, tmp_path / "cache") == first
    for index in (tmp_path / "cache" / "shards").iterdir():
        index.write_text('[["a.mp4"]]')
    assert shard_members(shard, tmp_path / "cache") == first
    (tmp_path / "file").touch()
    assert shard_members(shard, tmp_path / "file") == first, "a cache that can't be written"
    write_shard(shard, {"b.mp4": b"1"})
    os.utime(shard, ns=(1, 1))
    assert [member.name for member in shard_members(shard, tmp_path / "cache")] == ["b.mp4"]


def test_a_damaged_shard_is_refused_and_never_taken_for_a_shorter_one(tmp_path: Path) -> None:
    shard = write_shard(tmp_path / "0.tar", {"a.mp4": b"1" * 600, "b.mp4": b"2" * 6000, "c.mp4": b"3"})
    whole = shard.read_bytes()
    second = shard_members(shard, tmp_path / "cache")[1].offset - tarfile.BLOCKSIZE
    without_header = whole[:second] + b"?" * tarfile.BLOCKSIZE + whole[second + tarfile.BLOCKSIZE :]
    for damaged in (whole[:4000], whole[:second], without_header):
        shard.write_bytes(damaged)
        with pytest.raises(DatasetUnavailable, match=r"0\.tar is (compressed, cut off|damaged from byte)"):
            shard_members(shard, tmp_path / "cache")


def test_what_is_no_plain_shard_is_named(tmp_path: Path) -> None:
    compressed = write_shard(tmp_path / "zip.tar", {"a.mp4": b"1"}, "w:gz")
    for path in (compressed, tmp_path / "none.tar"):
        with pytest.raises(DatasetUnavailable, match=path.name):
            shard_members(path, tmp_path / "cache")
    write_shard(tmp_path / ".hidden.tar", {})
    assert shards_in(tmp_path) == [compressed]
